"""The search for a record that kills or hangs its process: halves of a unit, alone, until one record is left."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NoReturn

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trivium.connectors.archive.units import Unit
from trivium.runtimes.batch.job import Job, UnitResult
from trivium.runtimes.batch.pool import UnitFailed
from trivium.runtimes.batch.unit_runner import UnitRunner
from trivium.runtimes.in_flight import Waits
from trivium.runtimes.logs import log_json_lines
from trivium.runtimes.losses import GONE, LOSS_TEXT, LOSSES_ALONE, Loss, first_line, own_words

_STARTS = 3
_START_SECONDS = 300.0
_ANSWER_SECONDS = 5.0
_WARN_EVERY_SECONDS = 30.0

_log = logging.getLogger(__name__)


class IsolatedWorker:
    """One unit at a time, in a process that nothing else depends on."""

    def __init__(self, job: Job) -> None:
        self._job, self._waits = job, Waits()

    def open(self) -> None:
        """Get ready; a call of its own, so that what it raises arrives in its own words."""
        log_json_lines()
        self._runner = UnitRunner(self._job, waiting=self._waits.held)

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def is_waiting(self) -> bool:
        """Return whether the unit that runs waits for facts."""
        return self._waits.now

    def run(self, unit: Unit) -> UnitResult:
        """Run a unit."""
        return self._runner.run(unit)

    def reject(self, unit: Unit, reason: str, error: str) -> UnitResult:
        """Make a record a dead letter without running it."""
        return self._runner.reject(unit, reason, error)


@dataclass
class Isolation:
    """Runs units whose actor died. `unit_seconds` bounds a unit; a part has its share, at least `record_seconds`."""

    job: Job
    unit_seconds: float
    record_seconds: float
    _actor: Any = None
    _lost_alone: Counter[str] = field(default_factory=Counter)

    def run(self, unit: Unit) -> UnitResult:
        """Return the unit's result, joined of its parts; records that no process survives are dead letters in it.

        Raises:
            UnitFailed: an error of storage, source or lookup, or of the engine itself, by its own name; or the process
                for the isolation cannot be had.
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
        if self._lost_alone[key] < LOSSES_ALONE:
            return [part, *waiting]
        at = part.ranges[0]
        _log.warning("%s, row %d: %s; it is a dead letter (%s)", at.path, at.start, LOSS_TEXT[loss], loss)
        answer = self._running().reject.remote(part, loss, LOSS_TEXT[loss])
        try:
            parts.append(ray.get(answer, timeout=_START_SECONDS))
        except RayError as error:
            message = f"{at.path}, row {at.start}: {LOSS_TEXT[loss]}, and it cannot be read as a dead letter"
            raise UnitFailed(f"{message}: {own_words(error)}") from error
        return waiting

    def _attempt(self, part: Unit, seconds: float) -> tuple[UnitResult | None, Loss]:
        """Run a part; its time begins when the actor is there, and again as long as it waits for facts."""
        actor = self._running()
        answer = actor.run.remote(part)
        try:
            while not ray.wait([answer], timeout=seconds)[0]:
                if not ray.get(actor.is_waiting.remote(), timeout=_ANSWER_SECONDS):
                    raise GetTimeoutError
            return ray.get(answer), "worker_died"
        except GetTimeoutError:
            self.close()
            return None, "worker_hung"
        except GONE:
            self._actor = None
            return None, "worker_died"
        except RayError as error:
            raise UnitFailed(own_words(error)) from error

    def _running(self) -> Any:
        for _ in range(_STARTS):
            if self._actor is not None:
                return self._actor
            self._start()
        return self._actor or _fail(f"its process died at its start, {_STARTS} times")

    def _start(self) -> None:
        # No CPU: the pool, or another run, may hold them all, and the one that waits for this actor is the pool's.
        remote = ray.remote(
            num_cpus=0,
            max_restarts=0,
            concurrency_groups={"control": 1},
            scheduling_strategy=_where_cpus_are(),
        )(IsolatedWorker)
        actor = remote.remote(self.job)
        opened, waited = actor.open.remote(), 0.0
        try:
            while not ray.wait([opened], timeout=_WARN_EVERY_SECONDS)[0]:
                waited += _WARN_EVERY_SECONDS
                _log.warning("the process for the isolation has not started for %d s", waited)
                if waited >= _START_SECONDS:
                    ray.kill(actor)
                    _fail(f"its process did not start within {_START_SECONDS:.0f} s")
            ray.get(opened)
            self._actor = actor
        except GONE as error:
            _log.warning("the process for the isolation died at its start: %s", first_line(error))
        except RayError as error:
            raise UnitFailed(own_words(error)) from error


def _fail(why: str) -> NoReturn:
    raise UnitFailed(
        f"a unit whose worker died cannot be run in isolation: {why}. Try: see the worker logs of Ray, and whether the "
        "cluster has a node with a CPU"
    )


def _where_cpus_are() -> NodeAffinitySchedulingStrategy | str:
    """Return a node that offers CPUs: without asking for one, the actor could land where nobody wants work."""
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    return NodeAffinitySchedulingStrategy(nodes[0], soft=True) if nodes else "DEFAULT"
