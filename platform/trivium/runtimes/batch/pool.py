"""The actor pool: Ray Data drives units through executor-hosting actors; only small manifests travel."""

from __future__ import annotations

import faulthandler
import logging
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import ray
import ray.data
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError
from ray.util.annotations import RayDeprecationWarning

from trivium.connectors.archive.units import Unit
from trivium.core.error_text import raised
from trivium.core.errors import TriviumError
from trivium.delivery.commit.batch import RUNTIME
from trivium.delivery.storage.storage import Storage
from trivium.runtimes.batch.job import Job, UnitResult
from trivium.runtimes.batch.unit_runner import UnitRunner
from trivium.runtimes.logs import log_json_lines
from trivium.runtimes.lookup_meters import LookupExporter, LookupMeters
from trivium.runtimes.losses import GONE, first_line, own_words

_log = logging.getLogger(__name__)

STARTED_FOLDER: Final = "_trivium/started"
_LEAST_SECONDS: Final = 0.1


class WorkersLost(Exception):
    """An actor of the pool died; what it had begun is known from the started marks."""


class UnitFailed(TriviumError):
    """A worker could not finish a unit: an error of storage, source, lookup or engine, in its own words."""


class Watchdog:
    """Ends this process after so many seconds of work; pauses do not count."""

    def __init__(self, seconds: float) -> None:
        self._seconds = self._left = seconds
        self._since = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch what is done meanwhile, with all its time."""
        self._left = self._seconds
        self._arm()
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let time go by; afterwards go on with the time that was left."""
        faulthandler.cancel_dump_traceback_later()
        self._left = max(_LEAST_SECONDS, self._left - (time.monotonic() - self._since))
        try:
            yield
        finally:
            self._arm()

    def _arm(self) -> None:
        self._since = time.monotonic()
        faulthandler.dump_traceback_later(self._left, exit=True, file=sys.stderr.fileno())


class PoolWorker:
    """An actor of the pool. Marks each unit before it begins, so that the driver knows what a dead actor held.

    A unit over its deadline ends the process: a watchdog outside Python's interpreter lock, so that native code that
    never returns is no way around it. It leaves the stack in the actor's log. Waits for facts do not count: the clients
    of the lookups bound them.
    """

    def __init__(self, job: Job, deadline_seconds: float) -> None:
        log_json_lines()
        self._job, self._watchdog = job, Watchdog(deadline_seconds)
        self._failure: Exception | None = None
        try:
            self._runner = UnitRunner(job, waiting=self._watchdog.paused)
            self._marks = Storage(job.token.uri)
            worker = ray.get_runtime_context().get_actor_id() or "driver"
            self._meters = LookupMeters(self._runner.pipeline, self._runner.clients, RUNTIME, worker)
            self._exporter = LookupExporter(self._meters)
        except Exception as error:  # noqa: BLE001 - raised with the first unit: Ray would call it a dead actor
            self._failure = error

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Run one unit: `{"unit": JSON}` to `{"key": …, "result": JSON, "failure": None}`."""
        unit = msgspec.json.decode(row["unit"], type=Unit)
        if self._failure is not None:
            return _failed(unit, self._job, self._failure)
        key = unit.key(self._job.context)
        try:
            self._marks.publish(f"{started_folder(self._job)}/{key}", b"")
            with self._watchdog.watching():
                result = self._runner.run(unit)
                self._runner.publish(unit, result)
            self._meters.export()
        except Exception as error:  # noqa: BLE001 - what is raised here is no dead worker
            return _failed(unit, self._job, error)
        return {"key": key, "rows": unit.rows, "result": msgspec.json.encode(result), "failure": None}


def _failed(unit: Unit, job: Job, error: Exception) -> dict[str, Any]:
    if isinstance(error, TriviumError):
        failure = str(error)
    else:
        first, last = unit.ranges[0], unit.ranges[-1]
        failure = f"{first.path}, row {first.start}, to {last.path}, row {last.stop}: {raised(error)}"
        _log.error("%s", failure, exc_info=error)
    return {"key": unit.key(job.context), "rows": unit.rows, "result": None, "failure": failure}


def started_folder(job: Job) -> str:
    """Return the folder where this run's actors mark the units they begin."""
    return f"{STARTED_FOLDER}/{job.generation}"


def run_pool(
    units: Sequence[Unit], job: Job, workers: int, deadline_seconds: float
) -> Iterator[tuple[str, UnitResult]]:
    """Run units on a pool of `workers` actors; yields each unit's key and result as it finishes.

    Raises:
        WorkersLost: an actor died; results not yielded by then are lost to this call, their markers are not.
        UnitFailed: a unit cannot be finished, by a worker's own words, or Ray cannot run the pool, by Ray's.
    """
    _quiet()
    try:
        for row in _dataset(units, job, workers, deadline_seconds).iter_rows():
            if row["failure"] is not None:
                raise UnitFailed(row["failure"])
            yield row["key"], msgspec.json.decode(row["result"], type=UnitResult)
    except GONE as error:
        raise WorkersLost(first_line(error)) from error
    except RayError as error:
        raise UnitFailed(f"the pool of workers ended: {own_words(error)}") from error


def _dataset(units: Sequence[Unit], job: Job, workers: int, deadline_seconds: float) -> ray.data.Dataset:
    items = [{"unit": msgspec.json.encode(unit)} for unit in units]
    with warnings.catch_warnings():
        # 2.60 has no named parameter for max_restarts; without it a record that kills its actor is tried for ever.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        return ray.data.from_items(items, override_num_blocks=len(items)).map(
            PoolWorker,
            fn_constructor_args=(job, deadline_seconds),
            compute=ActorPoolStrategy(size=min(workers, len(items))),
            num_cpus=1,
            max_restarts=0,
        )


def _quiet() -> None:
    """Leave one progress display, ours, and turn off Ray Data's bars, hints and logs; never skip a failed block."""
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = 0
    context.actor_task_retry_on_errors = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
