"""An epoch being made: its files, the stretch of each partition, and the balance so far."""

from __future__ import annotations

from collections.abc import Mapping

from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock
from trivium.core.fault_points import reach
from trivium.delivery.commit.positions import RUNTIME
from trivium.delivery.commit.stream import OffsetRange
from trivium.delivery.dead_letters.schema import reject_files
from trivium.delivery.files.event_files import EventFiles
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage
from trivium.engine.breaker import RejectSummary, merge_rejects, summarise
from trivium.engine.outcomes import Counts, Outcomes, Reject, merge_counts
from trivium.runtimes.dead_letter_rows import dead_letter_rows, parked_letters
from trivium.runtimes.streaming.job import EpochResult
from trivium.runtimes.streaming.worker.merge_chunks import Gathered


class Epoch:
    """Takes outcomes in and ends as files and a result; nothing is visible to readers before the driver commits it."""

    def __init__(self, pipeline: Pipeline, name: str, clock: Clock, parked: Mapping[str, str]) -> None:
        config = pipeline.config
        self._pipeline, self._clock, self._parked = pipeline, clock, parked
        schema = table_schema(pipeline.table_columns)
        table, letters = Storage(config.table.path), Storage(config.dead_letters.path)
        files = PartitionedFiles(table, schema, config.table.partition_by, name, {"_runtime": RUNTIME})
        self._files = EventFiles(files)
        self._letters = reject_files(letters, name, RUNTIME)
        self._parts: list[dict[str, Counts]] = []
        self._rejects: list[RejectSummary] = []
        self.ranges: dict[str, OffsetRange] = {}
        self.days: set[object] = set()
        self.nbytes = 0

    def take(self, gathered: Gathered, outcomes: Outcomes, days: set[object]) -> None:
        """Write a batch's rows and dead letters to the files, and move the ranges past it."""
        self._files.add(outcomes.emitted.values())
        self._write_letters([*outcomes.rejects, *parked_letters(outcomes, self._parked)], gathered)
        self._parts.append(outcomes.counts())
        self._rejects.append(summarise(outcomes, gathered.batch))
        for partition, each in gathered.ranges(outcomes):
            known = self.ranges.get(partition)
            self.ranges[partition] = known.followed_by(each) if known else each
        self.days |= days
        self.nbytes += gathered.nbytes

    def close(self) -> EpochResult:
        """Make the files durable; the result is what the driver may commit."""
        reach("epoch.before_files")
        files, letters = tuple(self._files.close()), tuple(self._letters.close())
        reach("epoch.after_files")
        return EpochResult(dict(self.ranges), files, letters, merge_counts(self._parts), merge_rejects(self._rejects))

    def abandon(self) -> None:
        """Remove the files."""
        self._files.abandon()
        self._letters.abandon()

    def _write_letters(self, rejects: list[Reject], gathered: Gathered) -> None:
        if rejects:
            self._letters.write(dead_letter_rows(rejects, gathered.batch, None, self._pipeline, self._clock))


def event_days(outcomes: Outcomes) -> set[object]:
    """Return the event dates of a batch's rows."""
    found: set[object] = set()
    for each in outcomes.emitted.values():
        found.update(each.days())
    return found
