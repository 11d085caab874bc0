"""Finds the record that kills or hangs its process: halves of a unit in an actor of their own, until one is left."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from trivium.connectors.parquet_source import Unit
from trivium.contract.errors import TriviumError
from trivium.runtimes.batch.job import Job, UnitResult
from trivium.runtimes.batch.pool import UnitFailed
from trivium.runtimes.batch.unit_runner import UnitRunner
from trivium.runtimes.logs import log_json_lines

_ALONE = 2
_START_SECONDS = 120.0
_TEXT = {
    "worker_died": "the process that ran this record alone died, twice",
    "worker_hung": "the process that ran this record alone did not finish in time, twice",
}
Loss = Literal["worker_died", "worker_hung"]

_log = logging.getLogger(__name__)


class IsolatedWorker:
    """One unit at a time, in a process that nothing else depends on."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def open(self) -> None:
        """Get ready; a call of its own, so that what it raises arrives in its own words."""
        log_json_lines()
        self._runner = UnitRunner(self._job)

    def run(self, unit: str) -> str:
        """Run a unit."""
        return self._runner.run(Unit.from_json(json.loads(unit))).encode()

    def reject(self, unit: str, reason: str, error: str) -> str:
        """Make a record a dead letter without running it."""
        return self._runner.reject(Unit.from_json(json.loads(unit)), reason, error).encode()


@dataclass
class Isolation:
    """Runs units whose actor died. `unit_seconds` bounds a unit; a part has its share, at least `record_seconds`."""

    job: Job
    unit_seconds: float
    record_seconds: float
    _actor: Any = None
    _lost_alone: Counter[str] = field(default_factory=Counter)

    def run(self, unit: Unit) -> UnitResult:
        """The unit's result, put together from its parts; records that no process survives are dead letters in it.

        Raises:
            UnitFailed: an error of storage, source or lookup.
        """
        parts: list[UnitResult] = []
        waiting = list(unit.halves()) if unit.rows > 1 else [unit]
        while waiting:
            part = waiting.pop(0)
            seconds = max(self.record_seconds, self.unit_seconds * part.rows / unit.rows)
            result, loss = self._attempt(part, seconds)
            if result is not None:
                parts.append(result)
            elif part.rows > 1:
                waiting = [*part.halves(), *waiting]
            else:
                waiting = self._alone(part, loss, parts, waiting)
        return UnitResult.joined(parts)

    def close(self) -> None:
        """End the actor."""
        if self._actor is not None:
            ray.kill(self._actor)
            self._actor = None

    def _alone(self, part: Unit, loss: Loss, parts: list[UnitResult], waiting: list[Unit]) -> list[Unit]:
        key = part.key({})
        self._lost_alone[key] += 1
        if self._lost_alone[key] < _ALONE:
            return [part, *waiting]
        at = part.ranges[0]
        _log.warning("%s, row %d: %s; it is a dead letter (%s)", at.path, at.start, _TEXT[loss], loss)
        text = ray.get(self._running().reject.remote(json.dumps(part.as_json()), loss, _TEXT[loss]))
        parts.append(UnitResult.decode(text))
        return waiting

    def _attempt(self, part: Unit, seconds: float) -> tuple[UnitResult | None, Loss]:
        try:
            answer = self._running().run.remote(json.dumps(part.as_json()))
            return UnitResult.decode(ray.get(answer, timeout=seconds)), "worker_died"
        except GetTimeoutError:
            self.close()
            return None, "worker_hung"
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, MemoryError):
                self.close()
                return None, "worker_died"
            # What else the worker raised, be it a bug of ours, is not the record's doing: no reason to halve.
            known = isinstance(cause, TriviumError)
            raise UnitFailed(str(cause) if known else f"{type(cause).__name__}: {cause}") from error
        except RayError:
            self._actor = None
            return None, "worker_died"

    def _running(self) -> Any:
        if self._actor is None:
            remote = ray.remote(num_cpus=1, max_restarts=0)(IsolatedWorker)
            self._actor = remote.remote(self.job)
            ray.get(self._actor.open.remote(), timeout=_START_SECONDS)
        return self._actor
