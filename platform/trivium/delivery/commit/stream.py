"""Streaming's commit: an epoch's files added and its positions moved, in one log entry.

An epoch is a stretch of each of some partitions, each range starting exactly where the table's position stands. Its
dead letters are committed first (`stream_letters`), so a position never passes a record that is in neither table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import pyarrow as pa
from msgspec.structs import asdict

from trivium.core.clock import Clock
from trivium.delivery.commit.committer import Change, Landed, commit, metadata_text
from trivium.delivery.commit.generation import RunProposal
from trivium.delivery.commit.lookups import lookups_metadata
from trivium.delivery.commit.positions import RUNTIME
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import PreconditionFailed
from trivium.delivery.files.data_file import DataFile, validate
from trivium.delivery.storage.storage import Storage
from trivium.engine.lookups.usage import LookupUse
from trivium.engine.outcomes import Counts


class OffsetRange(msgspec.Struct, frozen=True):
    """Offsets [start, next) of a partition and what became of the inputs among them.

    What was not read is a hole: compacted away, or a marker of a transaction. `newest_us` is the latest record's
    timestamp in microseconds since 1970 UTC (0: no record).
    """

    start: int
    next: int
    read: int = 0
    emitted: int = 0
    dropped: int = 0
    rejected: int = 0
    newest_us: int = 0
    parked: int = 0

    @property
    def holes(self) -> int:
        """Offsets without a record."""
        return self.next - self.start - self.read

    def balanced(self) -> bool:
        """Return whether each input has one outcome, and there are no more inputs than offsets."""
        found = self.emitted + self.dropped + self.rejected + self.parked
        return self.read == found and self.holes >= 0

    def followed_by(self, later: OffsetRange) -> OffsetRange:
        """Return both ranges as one.

        Raises:
            PreconditionFailed: the later one does not start where this one ends.
        """
        if later.start != self.next:
            raise PreconditionFailed(f"expected the next range to start at {self.next}, got {later.start}")
        return OffsetRange(
            self.start,
            later.next,
            self.read + later.read,
            self.emitted + later.emitted,
            self.dropped + later.dropped,
            self.rejected + later.rejected,
            max(self.newest_us, later.newest_us),
            self.parked + later.parked,
        )


@dataclass(frozen=True)
class StreamCommit(RunProposal):
    """The commit of an epoch.

    `balance` holds the counts per event type, `ranges` the stretch of each partition. `columns` are those that the
    files were written for. `lookups` is the use of each lookup.
    """

    runtime = RUNTIME
    kind = "epoch"

    pipeline: str
    generation: int
    files: tuple[DataFile, ...]
    ranges: Mapping[str, OffsetRange]
    balance: Mapping[str, Counts]
    logic: str
    plan: str
    columns: pa.Schema | None = None
    lookups: Mapping[str, LookupUse] = field(default_factory=dict)
    fault_point: str | None = field(default="table", init=False)

    def change(self, snapshot: Snapshot) -> Change:
        """Return the files and the new positions, for this snapshot.

        Raises:
            Fenced: a newer run took over.
            PreconditionFailed: a range does not start at the table's position, goes back, or has no balance.
        """
        self.check_generation(snapshot)
        moved = {}
        for partition, each in self.ranges.items():
            name = transactions.position(self.pipeline, partition)
            self._check(partition, each, snapshot.transaction(name))
            moved[name] = each.next
        return Change(add=self.files, transactions=moved, metadata=self._metadata(), columns=self.columns)

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether this run's epoch is in: its generation is the newest, positions are where it moved them."""
        if not self.is_newest(snapshot):
            return False
        at = {name: snapshot.transaction(transactions.position(self.pipeline, name)) for name in self.ranges}
        return at == {name: each.next for name, each in self.ranges.items()}

    def _check(self, partition: str, each: OffsetRange, position: int | None) -> None:
        if each.start != position:
            message = f"{partition}: the table's position is {position}, this epoch starts at {each.start}"
            raise PreconditionFailed(f"{message}; nothing was committed. Try: start again, it goes on at the position")
        if each.next < each.start or not each.balanced():
            message = f"{partition}: {each} has no balance; nothing was committed. This is a bug: report it"
            raise PreconditionFailed(message)

    def _metadata(self) -> dict[str, str]:
        ranges = {name: asdict(each) | {"holes": each.holes} for name, each in self.ranges.items()}
        facts = {"ranges": metadata_text(ranges), "balance": metadata_text(self.balance)}
        return self.metadata(logic=self.logic, plan=self.plan, **facts, **lookups_metadata(self.lookups))


def commit_epoch(uri: str, proposal: StreamCommit, schema: pa.Schema, clock: Clock) -> Landed:
    """Validate the files, then commit them with the positions.

    Raises:
        FileMismatch: a file is missing, cut off, or has other rows or columns; nothing was committed.
        PreconditionFailed, CommitRaceLost, OutcomeUnknown: see `committer.commit`.
    """
    validate(Storage(uri), proposal.files, schema)
    return commit(uri, proposal, clock)
