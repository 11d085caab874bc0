"""The driver's side of commits: results of workers gathered into an epoch, judged, committed, accounted for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock, Deadline
from trivium.delivery.commit.committer import Landed, Proposal
from trivium.delivery.commit.stream import OffsetRange, StreamCommit, commit_epoch
from trivium.delivery.dead_letters.stream import StreamLetters, append
from trivium.delivery.delta.durability import make_durable
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import CommitRaceLost, OutcomeUnknown, PreconditionFailed
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.table import checkpoint_if_due
from trivium.engine.breaker import BreakerState, judged_inputs, merge_rejects
from trivium.engine.lookups.usage import merged_use
from trivium.engine.outcomes import merge_counts
from trivium.runtimes.streaming.job import EpochResult

_PATIENCE_SECONDS: Final = 600.0
_WAIT_SECONDS: Final = 2.0
_LOOK_EVERY: Final = 10
"""Commits between looks at the logs' lengths; the first one looks, too, for streams that a timer starts for a few."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Committed:
    """An epoch that is in the table. `seconds` is how long letters and commit took, `attempts` how many the commit."""

    result: EpochResult
    version: int
    seconds: float
    attempts: int


@dataclass
class EpochCommitter:
    """Commits what workers handed in: the only committer of the run."""

    pipeline: Pipeline
    generation: int
    clock: Clock
    _pending: list[EpochResult] = field(default_factory=list)
    _commits: int = 0

    def __post_init__(self) -> None:
        self._breaker = BreakerState(self.pipeline.config.breaker)

    @property
    def waiting(self) -> int:
        """Results that wait for their commit."""
        return len(self._pending)

    @property
    def pending_bytes(self) -> int:
        """Bytes of files that wait for their commit."""
        return sum(file.size for each in self._pending for file in (*each.files, *each.letters))

    def add(self, result: EpochResult) -> None:
        """Take in what a worker made; a result of nothing is forgotten."""
        if result.ranges:
            self._pending.append(result)

    def commit(self) -> Committed:
        """Commit all that is pending as one epoch: dead letters first, then rows and positions.

        Raises:
            SystemicRejects: the breaker tripped; the epoch is not committed.
            Fenced: a newer run took over.
            DeliveryError: see `committer.commit`; for a storage that does not answer, after much patience.
        """
        result, started = merged(self._pending), self.clock.monotonic()
        self._breaker.observe(judged_inputs(result.counts), result.rejects)
        if result.letters:
            self._land_letters(result)
        landed = self._land_rows(result)
        self._pending = []
        if self._commits % _LOOK_EVERY == 0:
            self._checkpoint()
        self._commits += 1
        return Committed(result, landed.version, self.clock.monotonic() - started, landed.attempts)

    def _land_letters(self, result: EpochResult) -> None:
        ranges = {name: (each.start, each.next) for name, each in result.ranges.items()}
        proposal = StreamLetters(self.pipeline.name, self.generation, result.letters, ranges)
        uri = self.pipeline.config.dead_letters.path
        land(uri, proposal, lambda: append(uri, proposal, self.clock), self.clock)

    def _land_rows(self, result: EpochResult) -> Landed:
        uri, schema = self.pipeline.config.table.path, table_schema(self.pipeline.table_columns)
        proposal = StreamCommit(
            pipeline=self.pipeline.name,
            generation=self.generation,
            files=result.files,
            ranges=result.ranges,
            balance=result.counts,
            logic=self.pipeline.plan.logic_short,
            plan=self.pipeline.plan.plan_short,
            columns=schema,
            lookups=result.lookups,
        )
        return land(uri, proposal, lambda: commit_epoch(uri, proposal, schema, self.clock), self.clock)

    def _checkpoint(self) -> None:
        for uri in (self.pipeline.config.table.path, self.pipeline.config.dead_letters.path):
            checkpoint_if_due(uri)


def land(uri: str, proposal: Proposal, attempt: Callable[[], Landed], clock: Clock) -> Landed:
    """Attempt a commit until it has landed: lost races and unanswered attempts alone do not end a stream.

    Raises:
        PreconditionFailed, FileMismatch: it must not, or cannot, land.
        CommitRaceLost, OutcomeUnknown: it did not within ten minutes.
    """
    patience, doubted = Deadline.after(clock, _PATIENCE_SECONDS), False
    while True:
        try:
            return attempt()
        except PreconditionFailed:
            # A commit that was given up may arrive between two looks at the table; then it is what is in the way.
            if not doubted or (found := _found(uri, proposal)) is None:
                raise
            return found
        except (CommitRaceLost, OutcomeUnknown) as error:
            doubted = True
            if patience.passed():
                raise
            _log.warning("%s; trying again", error)
            clock.sleep(_WAIT_SECONDS)
            if (found := _found(uri, proposal)) is not None:
                return found


def _found(uri: str, proposal: Proposal) -> Landed | None:
    """Find the commit, durable, if the table can be read and carries it.

    Raises:
        StorageError: the storage refused to make it durable; what is committed next may not count on it.
    """
    try:
        snapshot = Snapshot.latest(uri)
    except Exception as error:  # noqa: BLE001 - the next attempt says what is wrong, in its words
        _log.info("%s cannot be read yet: %s", uri, error)
        return None
    if not proposal.landed(snapshot):
        return None
    make_durable(uri, snapshot.version)
    return Landed(snapshot.version, 1)


def merged(results: Sequence[EpochResult]) -> EpochResult:
    """Join results, in the order they were handed in, to one.

    Raises:
        PreconditionFailed: ranges of a partition do not follow one another.
    """
    ranges: dict[str, OffsetRange] = {}
    for result in results:
        for name, each in result.ranges.items():
            ranges[name] = ranges[name].followed_by(each) if name in ranges else each
    return EpochResult(
        ranges,
        tuple(file for result in results for file in result.files),
        tuple(file for result in results for file in result.letters),
        merge_counts(dict(result.counts) for result in results),
        merge_rejects(result.rejects for result in results),
        lookups=merged_use(result.lookups for result in results),
    )
