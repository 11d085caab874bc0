"""Streaming's dead letters: committed before the table, and counting once the table's position has passed them.

A run that dies between the two commits leaves letters at or past the table's position. They do not count: readers hide
them, and every start removes them before anything is read again, since the records may not be rejected this time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from trivium.core.clock import Clock
from trivium.delivery.commit.committer import Change, Landed, commit
from trivium.delivery.commit.generation import RunProposal
from trivium.delivery.commit.positions import RUNTIME, known_partitions, parse_source, topic_of
from trivium.delivery.dead_letters.schema import ROW_SCHEMA, SCHEMA, reject_files
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.errors import PreconditionFailed
from trivium.delivery.files.data_file import DataFile, validate
from trivium.delivery.storage.storage import Storage


def is_streaming(file: ActiveFile) -> bool:
    """Return whether a file of the dead-letter table is streaming's."""
    return file.partition_values["runtime"] == RUNTIME


def counted(letters: pa.Table, table: Snapshot) -> pa.Array:
    """Return, for each row with `source` and `position`, whether it counts in this snapshot of the table."""
    sources = letters["source"].combine_chunks().dictionary_encode()
    limits = np.array([_limit(source, table) for source in sources.dictionary.to_pylist()], np.int64)
    positions = letters["position"].to_numpy()
    codes = sources.indices.to_numpy(zero_copy_only=False)
    return pa.array(positions < limits[codes] if len(limits) else np.zeros(0, np.bool_))


def _limit(source: str, table: Snapshot) -> int:
    """Return the position from which letters of a source do not count. Those of older position epochs all do."""
    partition, epoch = parse_source(source)
    pipeline = table.pipeline or ""
    now = table.transaction(transactions.position_epoch(pipeline, topic_of(partition))) or 0
    if epoch < now:
        return int(np.iinfo(np.int64).max)
    return (table.transaction(transactions.position(pipeline, partition)) or 0) if epoch == now else 0


def append(uri: str, proposal: StreamLetters, clock: Clock) -> Landed:
    """Validate the files and append them.

    Raises:
        FileMismatch: a file is missing or not what its manifest says.
        PreconditionFailed, CommitRaceLost, OutcomeUnknown: see `committer.commit`.
    """
    validate(Storage(uri), proposal.files, ROW_SCHEMA)
    return commit(uri, proposal, clock)


def remove_uncounted(uri: str, proposal: CleanUp, clock: Clock) -> int:
    """Remove, at a start, the dead letters that do not count. Returns how many went.

    Call it after the run took its generation in both tables: from then on no older run can add or count one.
    """
    if not proposal.ahead(Snapshot.latest(uri)):
        return 0
    commit(uri, proposal, clock)
    return proposal.removed


@dataclass(frozen=True)
class StreamLetters(RunProposal):
    """The dead letters of one epoch: every range of it, whether it has letters or not, from and to which offset."""

    runtime = RUNTIME
    kind = "append"

    pipeline: str
    generation: int
    files: tuple[DataFile, ...]
    ranges: Mapping[str, tuple[int, int]]
    fault_point: str | None = field(default="stream_letters", init=False)

    def change(self, snapshot: Snapshot) -> Change:
        """Return the files under this generation, and the positions up to which letters were kept.

        Raises:
            Fenced: a newer run took over.
            PreconditionFailed: letters of one of these ranges were appended already.
        """
        self.check_generation(snapshot)
        for partition, (start, _) in self.ranges.items():
            kept = snapshot.transaction(transactions.position(self.pipeline, partition)) or 0
            if kept > start:
                message = f"{partition}: dead letters are kept up to {kept}, this range starts at {start}"
                raise PreconditionFailed(f"{message}; nothing was committed. Try: start again")
        moved = {transactions.position(self.pipeline, name): after for name, (_, after) in self.ranges.items()}
        files = tuple(file.with_partition("generation", str(self.generation)) for file in self.files)
        return Change(add=files, transactions=moved, metadata=self.metadata())

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether this run's letters of these ranges are in."""
        if not self.is_newest(snapshot):
            return False
        found = {name: snapshot.transaction(transactions.position(self.pipeline, name)) for name in self.ranges}
        return found == {name: after for name, (_, after) in self.ranges.items()}


@dataclass
class CleanUp(RunProposal):
    """Removes streaming's letters that do not count in `table`, and takes the letters' positions back to the table's.

    `partitions` are those of the pipeline's topics. Letters are only ever appended together with their positions, so
    where no position is ahead of the table's there is nothing to look for.
    """

    runtime = RUNTIME
    kind = "clean_up"

    pipeline: str
    generation: int
    storage: Storage
    table: Snapshot
    partitions: tuple[str, ...]
    removed: int = 0
    fault_point: str | None = "clean_up"

    def ahead(self, snapshot: Snapshot) -> dict[str, int]:
        """Return the partitions whose letters are ahead of the table, with the table's positions."""
        partitions = known_partitions(self.table, self.pipeline, self.partitions)
        names = {name: transactions.position(self.pipeline, name) for name in partitions}
        there = {name: self.table.transaction(txn) or 0 for name, txn in names.items()}
        return {name: at for name, at in there.items() if (snapshot.transaction(names[name]) or 0) > at}

    def change(self, snapshot: Snapshot) -> Change:
        """Return the files to remove, and those to put in place of files that hold both kinds of letters.

        Raises:
            Fenced: a newer run took over.
        """
        self.check_generation(snapshot)
        back = {transactions.position(self.pipeline, name): at for name, at in self.ahead(snapshot).items()}
        gone: list[ActiveFile] = []
        kept: list[DataFile] = []
        self.removed = 0
        for file in filter(is_streaming, snapshot.active.values()):
            rows = snapshot.rows_of([file.path], SCHEMA)
            stay = rows.filter(counted(rows, self.table))
            if stay.num_rows < rows.num_rows:
                gone.append(file)
                kept += self._written_again(file, stay)
                self.removed += rows.num_rows - stay.num_rows
        return Change(tuple(kept), tuple(gone), back, self.metadata())

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether this run is still the newest and no letter is ahead of the table any more."""
        return self.is_newest(snapshot) and not self.ahead(snapshot)

    def _written_again(self, file: ActiveFile, rows: pa.Table) -> list[DataFile]:
        """Write the letters that count out of a file of both kinds; only foreign compaction makes such files."""
        if not rows.num_rows:
            return []
        writer = reject_files(self.storage, f"{self.generation}-kept", RUNTIME)
        writer.write(rows.drop_columns(["generation", "runtime"]))
        return [each.with_partition("generation", file.partition_values["generation"]) for each in writer.close()]
