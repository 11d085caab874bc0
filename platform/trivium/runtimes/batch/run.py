"""A batch run, from compiled pipeline to one commit.

1. Prepare: read the source's footers, open both tables, take the generation, find units a killed run finished.
2. Run the other units on the actor pool. If an actor dies, run what it held in isolation, then go on. If rejects look
   systemic, stop: the next start needs another breaker or another logic. Or park their type, and begin again without.
3. Commit the dead letters; they do not count yet.
4. Commit the table: batch's files of the window replaced, dead letters counted, in one log entry.
5. Remove the run's markers, write a checkpoint if one is due.

Until 4 readers see the old partitions. A run killed before 4 leaves files nobody sees and markers that let the next
run with the same arguments skip finished units; a run killed after 4 is finished.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import ray

from trivium.config.pipeline import Pipeline
from trivium.connectors import place_of
from trivium.connectors.archive.units import Unit
from trivium.core.clock import Clock, SystemClock
from trivium.core.errors import RunError
from trivium.delivery.files.unit_markers import UnitMarker
from trivium.delivery.storage.storage import Storage
from trivium.delivery.storage.token import remove_token
from trivium.delivery.table import checkpoint_if_due
from trivium.engine.breaker import BreakerState, SystemicRejects, judged_inputs
from trivium.runtimes import steps
from trivium.runtimes.batch.commit import commit_results
from trivium.runtimes.batch.job import UnitResult
from trivium.runtimes.batch.parked import BeginAgain, Parking, tripped
from trivium.runtimes.batch.poison_search import Isolation
from trivium.runtimes.batch.pool import WorkersLost, run_pool, started_folder
from trivium.runtimes.batch.prepare import BatchArguments, Prepared, known_runs, prepare, run_store
from trivium.runtimes.batch.progress import Display, display
from trivium.runtimes.batch.report import BatchReport
from trivium.runtimes.batch.resumption import resumable
from trivium.runtimes.batch.source import batch_section
from trivium.runtimes.cluster import connected

_FENCE_SECONDS = 5.0

_log = logging.getLogger(__name__)


def run_batch(pipeline: Pipeline, arguments: BatchArguments | None = None, clock: Clock | None = None) -> BatchReport:
    """Run a pipeline over its archive, to the commit.

    Raises:
        TriviumError: the run stopped; the message says why and what to do. Readers see the table as it was.
    """
    clock, arguments = clock or SystemClock(), arguments or BatchArguments()
    while True:
        try:
            return _run_once(pipeline, arguments, clock)
        except BeginAgain as parked:
            _log.warning("beginning again without %s", parked)


def _run_once(pipeline: Pipeline, arguments: BatchArguments, clock: Clock) -> BatchReport:
    batch = batch_section(pipeline)
    lookups = f", the lookups {', '.join(pipeline.lookups)}" if pipeline.lookups else ""
    steps.begin(f"reading the source {place_of(batch.source)}{lookups} and the table {pipeline.config.table.path}")
    prepared = prepare(pipeline, arguments, clock)
    for note in prepared.source.plan.notes:
        _log.warning("source: %s", note)
    try:
        with connected(arguments.address, batch.workers):
            started = clock.monotonic()
            results = _Units(prepared, arguments.parked, clock).run()
            seconds = clock.monotonic() - started
    finally:
        remove_token(prepared.job.token)
    report = commit_results(prepared, results, clock, seconds)
    _clean_up(prepared)
    return report


class _Units:
    """The units of a run on their way to results."""

    def __init__(self, prepared: Prepared, parking: Parking, clock: Clock) -> None:
        self._prepared, self._parking, self._clock, self._job = prepared, parking, clock, prepared.job
        self._batch = batch_section(prepared.pipeline)
        self._units = {unit.key(self._job.context): unit for unit in prepared.source.units}
        self._results: dict[str, UnitResult] = {}
        self._breaker = BreakerState(prepared.pipeline.config.breaker)
        self._fence_checked = clock.monotonic()

    def run(self) -> list[UnitResult]:
        """Return every unit's result, in the source's order."""
        total = sum(unit.rows for unit in self._units.values())
        with display(total, self._clock) as shown:
            self._resume(self._prepared.done, shown)
            while todo := [unit for key, unit in self._units.items() if key not in self._results]:
                try:
                    self._collect(self._pool(todo), shown)
                except WorkersLost as lost:
                    self._recover(lost, shown)
        return [self._results[key] for key in self._units]

    def _pool(self, todo: Sequence[Unit]) -> Iterator[tuple[str, UnitResult]]:
        workers = min(self._batch.workers, len(todo), max(1, int(ray.cluster_resources().get("CPU", 1))))
        steps.begin(f"starting {steps.many(workers, 'worker')} for {steps.many(len(todo), 'unit')}")
        return run_pool(todo, self._job, workers, self._batch.unit_deadline_seconds)

    def _collect(self, finished: Iterator[tuple[str, UnitResult]], shown: Display) -> None:
        for key, result in finished:
            self._take(key, result, shown)
            self._check_fence()

    def _recover(self, lost: WorkersLost, shown: Display) -> None:
        """Take over what the pool finished, then run in isolation what its dead actors had begun."""
        before = len(self._results)
        markers = run_store(self._prepared.pipeline, self._job.name).load(self._prepared.runs.replaced)
        self._resume(resumable(markers, self._units.keys(), self._job.made).done, shown)
        begun = self._begun()
        if not begun and len(self._results) > before:
            return
        if not begun:
            raise RunError(f"the workers ended before their first unit: {lost}. Try: see the worker logs of Ray")
        _log.warning("a worker died; running what it held in isolation: %s", lost)
        isolation = Isolation(self._job, self._batch.unit_deadline_seconds, self._batch.record_deadline_seconds)
        try:
            self._collect(((key, isolation.run(self._units[key])) for key in begun), shown)
        finally:
            isolation.close()

    def _begun(self) -> list[str]:
        marks = Storage(self._job.token.uri).list(started_folder(self._job))
        keys = {mark.path.rpartition("/")[2] for mark in marks}
        return [key for key in self._units if key in keys and key not in self._results]

    def _resume(self, markers: Mapping[str, UnitMarker], shown: Display) -> None:
        for key, marker in markers.items():
            if key in self._units and key not in self._results:
                self._take(key, UnitResult.of_marker(marker), shown)

    def _take(self, key: str, result: UnitResult, shown: Display) -> None:
        self._results[key] = result
        shown.advance(self._units[key].rows, sum(counts.rejected for counts in result.counts.values()))
        try:
            self._breaker.observe(judged_inputs(result.counts), result.signatures)
        except SystemicRejects as error:
            raise tripped(self._prepared.pipeline, self._parking, error, self._clock) from error

    def _check_fence(self) -> None:
        if self._clock.monotonic() - self._fence_checked >= _FENCE_SECONDS:
            self._fence_checked = self._clock.monotonic()
            known_runs(self._prepared.pipeline).check(self._job.generation)


def _clean_up(prepared: Prepared) -> None:
    config = prepared.pipeline.config
    run_store(prepared.pipeline, prepared.job.name).clear_spent(known_runs(prepared.pipeline).replaced)
    storage = Storage(config.table.path)
    for mark in storage.list(started_folder(prepared.job)):
        storage.remove(mark.path)
    for uri in (config.table.path, config.dead_letters.path):
        checkpoint_if_due(uri)
