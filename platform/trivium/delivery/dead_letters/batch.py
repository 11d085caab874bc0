"""Dead letters: which of them count, and those of batch; streaming's are in `stream`.

Batch appends its dead letters under its generation before the table's commit. They count only if the table's snapshot
says that their source day was committed by their generation; so they are replaced per source day, atomically with the
table. A file holds one source day, and generation and source day are partition values: whether a dead letter counts
is answered by the log, without opening a file. The generation is in the log only, not in the files, so that a resumed
run can append what an earlier, killed run wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from trivium.core.clock import Clock
from trivium.delivery.commit.claims import Runs
from trivium.delivery.commit.committer import Change, Landed, commit
from trivium.delivery.commit.generation import commit_metadata
from trivium.delivery.dead_letters import stream as stream_letters
from trivium.delivery.dead_letters.replayed import number_of, pending
from trivium.delivery.dead_letters.schema import PARKED, ROW_SCHEMA, SCHEMA, dead_letter_table, reject_files
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.errors import OutcomeUnknown, PreconditionFailed
from trivium.delivery.files.data_file import DataFile, validate
from trivium.delivery.storage.storage import Storage

__all__ = [
    "ROW_SCHEMA",
    "RUNTIME",
    "SCHEMA",
    "DeadLetterCommit",
    "LetterCount",
    "append",
    "count",
    "counts",
    "dead_letter_table",
    "read",
    "reject_files",
    "remove_uncounted",
]

RUNTIME: Final = "batch"
_READ_ATTEMPTS: Final = 5
_COUNTED_BY: Final = pa.schema([SCHEMA.field(name) for name in ("source", "position", "stage", "event_type")])


def append(uri: str, proposal: DeadLetterCommit, clock: Clock) -> Landed | None:
    """Validate the files and append them; they count once the table's commit of the same generation lands.

    Returns None when there is nothing to append.

    Raises:
        FileMismatch: a file is missing or not what its manifest says.
        PreconditionFailed, CommitRaceLost, OutcomeUnknown: see `committer.commit`.
    """
    if not proposal.files:
        return None
    validate(Storage(uri), proposal.files, ROW_SCHEMA)
    return commit(uri, proposal, clock)


def remove_uncounted(uri: str, table_uri: str, pipeline: str, generation: int, clock: Clock) -> int:
    """Remove, for a run, batch's dead letters that do not count and never will. Returns how many files went.

    Those are its own under an earlier generation, those of runs that it took over from and of runs that are finished.
    Others may be of a run beside this one. Call it after the run took its generation in both tables: from then on no
    run that it took over from can make one count.
    """
    proposal = _CleanUp(pipeline, generation, Snapshot.latest(table_uri))
    files = len(proposal.uncounted(Snapshot.latest(uri)))
    if files:
        commit(uri, proposal, clock)
    return files


def read(uri: str, table_uri: str) -> pa.Table:
    """Return the dead letters that count, of both runtimes, with the columns of `SCHEMA`.

    Raises:
        OutcomeUnknown: runs kept committing between the two looks at the table.
    """
    return _read(*_snapshots(uri, table_uri))


@dataclass(frozen=True)
class LetterCount:
    """The letters that count: those of rejected inputs, and of `parked` ones by event type."""

    rejected: int
    parked: Mapping[str, int]


def count(uri: str, table_uri: str) -> LetterCount:
    """Return how many letters count, of both runtimes; none is read whole, and of batch's none at all.

    Raises:
        OutcomeUnknown: runs kept committing between the two looks at the table.
    """
    letters, table = _snapshots(uri, table_uri)
    batch, stream = _counted_files(letters, table)
    streamed = _streamed(letters, table, stream, _COUNTED_BY)
    parked = streamed.filter(pc.equal(streamed["stage"], PARKED))["event_type"].to_pylist()
    rejected = streamed.num_rows - len(parked) + letters.rows_in(batch)
    return LetterCount(rejected, dict(sorted(Counter(parked).items())))


def _snapshots(uri: str, table_uri: str) -> tuple[Snapshot, Snapshot]:
    """Return the letters and the table as they were together.

    Raises:
        OutcomeUnknown: runs kept committing between the two looks at the table.
    """
    for _ in range(_READ_ATTEMPTS):
        table, letters = Snapshot.latest(table_uri), Snapshot.latest(uri)
        # A batch run that committed between the two snapshots may have replaced what the first one counts. A stream
        # only appends letters that do not count in the first one.
        # A replay may have removed letters that the first one has no rows of yet.
        again = Snapshot.latest(table_uri)
        if _batch_commit(again) == _batch_commit(table) and number_of(again) == number_of(table):
            return letters, table
    message = (
        f"dead letters {uri}: the table {table_uri} changed during each of {_READ_ATTEMPTS} reads. Try: read again"
    )
    raise OutcomeUnknown(message)


def counts(file: ActiveFile, table: Snapshot) -> bool:
    """Return whether the dead letters of a batch file count in this snapshot of the table."""
    pipeline, generation = table.pipeline or "", int(file.partition_values["generation"] or 0)
    newest = table.transaction(transactions.source_day(pipeline, file.partition_values["source_day"]))
    return newest == generation and generation >= (table.transaction(transactions.whole(pipeline)) or 0)


def _batch_commit(table: Snapshot) -> int | None:
    return table.transaction(transactions.committed(table.pipeline or ""))


def _counted_files(letters: Snapshot, table: Snapshot) -> tuple[list[str], list[str]]:
    """Return the paths of batch's files that count, and of streaming's, whose letters count one by one."""
    batch = [path for path, file in letters.active.items() if _is_batch(file) and counts(file, table)]
    return batch, [path for path, file in letters.active.items() if stream_letters.is_streaming(file)]


def _read(letters: Snapshot, table: Snapshot) -> pa.Table:
    batch, stream = _counted_files(letters, table)
    return pa.concat_tables([letters.rows_of(batch, SCHEMA), _streamed(letters, table, stream, SCHEMA)])


def _streamed(letters: Snapshot, table: Snapshot, files: list[str], columns: pa.Schema) -> pa.Table:
    """Return some columns of streaming's letters that count: replayed ones do not, those that came anew do."""
    rows = letters.rows_of(files, columns)
    rows = rows.filter(stream_letters.counted(rows, table))
    replayed = pending(table, letters)
    if replayed is None:
        return rows
    anew = replayed.letter_rows(Storage(letters.head.table_uri)).select(columns.names)
    return pa.concat_tables([rows.filter(pc.invert(replayed.holds(rows))), anew])


def _is_batch(file: ActiveFile) -> bool:
    return file.partition_values["runtime"] == RUNTIME


@dataclass(frozen=True)
class DeadLetterCommit:
    """A run's dead letters. Each file's source day must be one of `source_days`, those the table's commit will name."""

    pipeline: str
    generation: int
    files: tuple[DataFile, ...]
    source_days: tuple[str, ...]
    table_uri: str
    fault_point: str | None = field(default="dead_letters", init=False)

    def change(self, snapshot: Snapshot) -> Change:
        """Return the files under this generation.

        Raises:
            Fenced: a newer run took over.
            PreconditionFailed: this generation has appended already, or a file is of a day the run does not own.
        """
        Runs(self.table_uri, self.pipeline, snapshot).check(self.generation)
        name = transactions.dead_letters(self.pipeline, self.generation)
        if (snapshot.transaction(name) or 0) >= self.generation:
            message = f"{self.pipeline}/batch: generation {self.generation} has appended its dead letters already"
            raise PreconditionFailed(message)
        days = {file.partition_values["source_day"] or transactions.ALL_DAYS for file in self.files}
        if not days <= set(self.source_days):
            foreign = sorted(days - set(self.source_days))
            message = f"{self.pipeline}/batch: dead letters of source days {foreign}, which this run does not replace"
            raise PreconditionFailed(message)
        files = tuple(file.with_partition("generation", str(self.generation)) for file in self.files)
        metadata = commit_metadata(RUNTIME, self.generation, "append")
        return Change(add=files, transactions={name: self.generation}, metadata=metadata)

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether this generation has appended."""
        return snapshot.transaction(transactions.dead_letters(self.pipeline, self.generation)) == self.generation


@dataclass(frozen=True)
class _CleanUp:
    """Removes the dead letters of batch that do not count in a snapshot of the table, nor ever will."""

    pipeline: str
    generation: int
    table: Snapshot
    fault_point: str | None = None

    def uncounted(self, snapshot: Snapshot) -> tuple[ActiveFile, ...]:
        files = (file for file in snapshot.active.values() if _is_batch(file))
        return tuple(file for file in files if not counts(file, self.table) and self._ended(snapshot, file))

    def change(self, snapshot: Snapshot) -> Change:
        self._runs(snapshot).check(self.generation)
        metadata = commit_metadata(RUNTIME, self.generation, "clean_up")
        return Change(remove=self.uncounted(snapshot), metadata=metadata)

    def landed(self, snapshot: Snapshot) -> bool:
        return not self.uncounted(snapshot)

    def _ended(self, letters: Snapshot, file: ActiveFile) -> bool:
        """Return whether the run that wrote a file is this one, was taken over by it, or has committed."""
        number = int(file.partition_values["generation"] or 0)
        own, other = self._runs(letters).find(self.generation), self._runs(letters).find(number)
        if own is None or other is None or other.run == own.run:
            return True
        return (other.run < own.run and other.overlaps(own)) or self._runs(self.table).landed(number)

    def _runs(self, snapshot: Snapshot) -> Runs:
        return Runs(self.table.head.table_uri, self.pipeline, snapshot)
