"""Batch's source: stable units of work over Parquet files, and the events of one of them.

A unit is a list of ranges, a range is consecutive rows of one file; the same files give the same units, whatever the
number of workers. Positions are rows of the file; only the declared columns are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.config.model.sources import BatchSource as SourceSettings
from trivium.connectors.parquet.columns import FileColumns, SourceColumns
from trivium.connectors.parquet.files import SourceFile, open_parquet, read_footers
from trivium.connectors.parquet.findings import SourceFindings
from trivium.connectors.parquet.listing import Listing, list_parquet, root_of
from trivium.connectors.parquet.rows import read_rows
from trivium.contract.declaration import Declaration
from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage, StoredFile
from trivium.engine.batch import Batch, Positions, RawBatch, TypedBatch
from trivium.engine.batch import Source as BatchSource
from trivium.engine.decoding.packed_values import pack_column

_BATCH_ROWS: Final = 65_536
_BATCH_BYTES: Final = 64 << 20


class Range(msgspec.Struct, frozen=True):
    """Rows `start` to before `stop` of a file that had this size and time when the run was planned.

    `mark` is a row at or before `start` and the byte where that begins, in files of lines.
    """

    path: str
    size: int
    modified_us: int
    day: str | None
    start: int
    stop: int
    mark: tuple[int, int] = (0, 0)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.stop - self.start


class Unit(msgspec.Struct, frozen=True):
    """A unit of work: what one worker reads, writes and answers for as a whole."""

    ranges: tuple[Range, ...]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(each.rows for each in self.ranges)

    def key(self, context: Mapping[str, Any]) -> str:
        """Return a name that changes when the unit or anything in `context` (window, lookups, source) does."""
        document = msgspec.json.encode([self.ranges, context], order="sorted")
        return hashlib.sha256(document).hexdigest()[:40]

    def halves(self) -> tuple[Unit, Unit]:
        """Return the unit cut in the middle of its rows."""
        middle, seen = self.rows // 2, 0
        first: list[Range] = []
        second: list[Range] = []
        for each in self.ranges:
            cut = min(max(middle - seen, 0), each.rows)
            seen += each.rows
            if cut:
                first.append(msgspec.structs.replace(each, stop=each.start + cut))
            if cut < each.rows:
                second.append(msgspec.structs.replace(each, start=each.start + cut))
        return Unit(tuple(first)), Unit(tuple(second))


@dataclass(frozen=True)
class SourcePlan:
    """The source as found: files in order, and what a person may want to know before they are read (`notes`).

    `version` is that of the table that names the files, None where they only lie there.
    """

    files: tuple[SourceFile, ...]
    notes: tuple[str, ...] = ()
    version: int | None = None

    def days(self) -> dict[str | None, int]:
        """Return each source day that has files with the time of its oldest one (microseconds since 1970 UTC).

        A day whose files hold no rows is there. The key is None when the source has no days.
        """
        oldest: dict[str | None, int] = {}
        for source in self.files:
            for day in source.days:
                oldest[day] = min(oldest.get(day, source.file.modified_us), source.file.modified_us)
        return oldest

    def units(self, unit_rows: int, days: frozenset[str] | None) -> list[Unit]:
        """Cut units of about `unit_rows` rows (a row group is never cut) over the given source days, or over all."""
        units: list[Unit] = []
        pending: list[Range] = []
        for each in self._ranges(days):
            if pending and sum(other.rows for other in pending) + each.rows > unit_rows:
                units.append(Unit(tuple(pending)))
                pending = []
            _append(pending, each)
        return [*units, Unit(tuple(pending))] if pending else units

    def _ranges(self, days: frozenset[str] | None) -> Iterator[Range]:
        for source in self.files:
            start, file = 0, source.file
            for group in source.groups:
                stop = start + group.rows
                if group.rows and (days is None or group.day in days):
                    yield Range(file.path, file.size, file.modified_us, group.day, start, stop, group.mark)
                start = stop


def _append(pending: list[Range], each: Range) -> None:
    last = pending[-1] if pending else None
    if last and (last.path, last.day, last.stop) == (each.path, each.day, each.start):
        pending[-1] = msgspec.structs.replace(last, stop=each.stop)
    else:
        pending.append(each)


@dataclass(frozen=True)
class Slice:
    """Some events of a unit; `day_lengths` says for how many of them in a row a source day holds."""

    batch: Batch
    day_lengths: Sequence[tuple[str | None, int]]

    @cached_property
    def days(self) -> npt.NDArray[np.object_]:
        """The source day of each event: an ISO date, or None."""
        days = [np.full(length, day, object) for day, length in self.day_lengths]
        return np.concatenate(days) if days else np.empty(0, object)

    def days_of(self, inputs: npt.NDArray[np.int64]) -> frozenset[str | None]:
        """Return the source days that some inputs of the batch, given by their rows in it, belong to."""
        ends = np.cumsum([length for _, length in self.day_lengths])
        places = np.unique(np.searchsorted(ends, inputs, side="right"))
        return frozenset(self.day_lengths[place][0] for place in places)


@dataclass(frozen=True)
class _Piece:
    """Neighbouring rows of a file. `folders` are the columns that its folders name, one value each."""

    path: str
    day: str | None
    positions: Positions
    rows: pa.RecordBatch
    folders: Mapping[str, pa.Array]

    @property
    def shape(self) -> tuple[pa.Schema, Mapping[str, pa.DataType]]:
        """Schema and folders; pieces with equal ones may share a batch."""
        return self.rows.schema, {name: value.type for name, value in self.folders.items()}


class ParquetReader:
    """Reads a source as its pipeline describes it.

    `tag_field` is the column that names event types; None where the source says the type of all events.
    """

    def __init__(self, source: SourceSettings, declarations: Mapping[str, Declaration], tag_field: str | None) -> None:
        self._source = source
        self._storage, _ = root_of(source.path)
        self._columns = SourceColumns(source, self._storage.uri, declarations, tag_field)

    def plan(self) -> SourcePlan:
        """List the source, read its footers and hold every schema to the declared events.

        Raises:
            SourceError: nothing there, a broken file, or columns that cannot be read as declared; names the file.
        """
        listing = self.listing()
        files = self.read_files(listing.storage, listing.files, self._source.day_column)
        return SourcePlan(tuple(files), (*listing.notes(), *self.check(files)), listing.version)

    def listing(self) -> Listing:
        """Return the files of the source.

        Raises:
            SourceError: there are none.
        """
        return list_parquet(self._source.path, getattr(self._source, "pattern", None))

    def read_files(self, storage: Storage, files: Sequence[StoredFile], day_column: str | None) -> list[SourceFile]:
        """Read what files say of their rows, and of their days where `day_column` asks for them.

        Raises:
            SourceError: a broken file, or one that does not tell its days.
        """
        return read_footers(storage, files, day_column)

    def check(self, files: Iterable[SourceFile]) -> list[str]:
        """Hold the schema of each file to the declared events; returns what a person may want to know of them.

        Raises:
            SourceError: columns that cannot be read as declared; names the file.
        """
        found = SourceFindings(self._columns)
        for each in files:
            problems = found.add(each)
            if problems:
                listed = "\n  ".join(problems)
                raise SourceError(
                    f"{self._storage.uri}/{each.file.path} cannot be read as this pipeline declares:\n  {listed}"
                )
        return found.notes()

    def columns_of(self, file: SourceFile) -> tuple[str, ...]:
        """Return the columns that are read of a file, those that lie in its folders' names among them."""
        found = self._columns.of(file.file.path, file.schema)
        return (*found.own, *found.folders)

    def batches(self, unit: Unit) -> Iterator[Slice]:
        """Yield the events of a unit, at most some 64 MB and 65,536 rows at a time; small files share a batch.

        A single row that is larger is a batch of its own.

        Raises:
            SourceError: a file changed since the run was planned, or cannot be read.
        """
        pending: list[_Piece] = []
        rows = size = 0
        for piece in self._pieces(unit):
            rows, size = rows + piece.rows.num_rows, size + piece.rows.nbytes
            if pending and (rows > _BATCH_ROWS or size > _BATCH_BYTES or piece.shape != pending[0].shape):
                yield self._slice(pending)
                pending, rows, size = [], piece.rows.num_rows, piece.rows.nbytes
            pending.append(piece)
        if pending:
            yield self._slice(pending)

    def _pieces(self, unit: Unit) -> Iterator[_Piece]:
        for each in unit.ranges:
            try:
                yield from self._read(each)
            except (pa.ArrowException, OSError) as error:
                raise SourceError(
                    f"{self._storage.uri}/{each.path}, rows {each.start} to {each.stop}: cannot be read: {error}. "
                    "Try: restore the file and run again; finished units are kept"
                ) from error

    def _read(self, each: Range) -> Iterator[_Piece]:
        found = self._storage.stat(each.path)
        if found is None or (found.size, found.modified_us) != (each.size, each.modified_us):
            raise SourceError(
                f"{self._storage.uri}/{each.path}: the file changed while the run was on. Try: run again when it rests"
            )
        for first, rows, columns in self.rows_of(each):
            positions = np.arange(first, first + rows.num_rows, dtype=np.int64)
            yield _Piece(each.path, each.day, positions, rows, columns.folders)

    def rows_of(self, each: Range) -> Iterator[tuple[int, pa.RecordBatch, FileColumns]]:
        """Read the rows of a range in order, each step with the place of its first row.

        Raises:
            pa.ArrowException, OSError, SourceError: the file cannot be read.
        """
        with open_parquet(self._storage, each.path) as opened:
            columns = self._columns.of(each.path, opened.schema_arrow)
            for first, rows in read_rows(self._storage, each.path, opened, range(each.start, each.stop), columns.own):
                yield first, rows, columns

    def _slice(self, pieces: Sequence[_Piece]) -> Slice:
        lengths = [piece.rows.num_rows for piece in pieces]
        positions = np.concatenate([piece.positions for piece in pieces])
        rows = pa.concat_batches([piece.rows for piece in pieces])
        folders = {name: _repeated([piece.folders[name] for piece in pieces], lengths) for name in pieces[0].folders}
        days = [(piece.day, length) for piece, length in zip(pieces, lengths, strict=True)]
        source = _source([piece.path for piece in pieces], lengths)
        if self._source.record_column:
            values = pack_column(rows.column(self._source.record_column))
            return Slice(RawBatch(values, source, positions, self._types(rows, folders)), days)
        for name, column in folders.items():
            rows = rows.append_column(name, column)
        return Slice(TypedBatch(rows, source, positions, self._source.zone, self._source.event_type), days)

    def _types(self, rows: pa.RecordBatch, folders: Mapping[str, pa.Array]) -> Sequence[str | None] | None:
        """Return the event type of each raw record, where the source says it beside them."""
        name = self._source.type_column
        if name is None:
            return None if self._source.event_type is None else [self._source.event_type] * rows.num_rows
        return _names(folders[name] if name in folders else rows.column(name))


def _repeated(values: Sequence[pa.Array], lengths: Sequence[int]) -> pa.Array:
    """Return each of some columns of one value as often as its length says, one behind the other."""
    return pa.concat_arrays(values).take(pa.array(np.repeat(np.arange(len(values)), lengths)))


def _source(paths: Sequence[str], lengths: Sequence[int]) -> BatchSource:
    if len(set(paths)) == 1:
        return paths[0]
    named = pa.array(paths).dictionary_encode()
    return named.take(pa.array(np.repeat(np.arange(len(paths)), lengths)))


def _names(column: pa.Array) -> Sequence[str | None]:
    """Event types; bytes that are no text stay visible as lone surrogates, which the decoder refuses."""
    names = column.cast(pa.large_binary()).to_pylist()
    return [None if name is None else name.decode("utf-8", "surrogateescape") for name in names]
