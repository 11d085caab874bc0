"""Batch's source: stable units of work over Parquet files, and the events of one of them.

A unit is a list of ranges, a range is consecutive rows of one file; the same files give the same units, whatever the
number of workers. Positions are rows of the file; only the declared columns are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

from trivium.config.model import ParquetSource
from trivium.connectors.parquet_files import SourceFile, locate, open_parquet, read_footers, root_of
from trivium.contract.declaration import Declaration
from trivium.contract.errors import SourceError
from trivium.engine.batch import Batch, Positions, RawBatch, TypedBatch
from trivium.engine.batch import Source as BatchSource
from trivium.engine.packed_values import pack_column
from trivium.engine.typed import columns_read, schema_problems

_BATCH_ROWS: Final = 65_536
_BATCH_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class Range:
    """Rows `start` to before `stop` of a file that had this size and time when the run was planned."""

    path: str
    size: int
    modified_us: int
    day: str | None
    start: int
    stop: int

    @property
    def rows(self) -> int:
        """How many rows."""
        return self.stop - self.start


@dataclass(frozen=True)
class Unit:
    """A unit of work: what one worker reads, writes and answers for as a whole."""

    ranges: tuple[Range, ...]

    @property
    def rows(self) -> int:
        """How many rows."""
        return sum(each.rows for each in self.ranges)

    def key(self, context: Mapping[str, Any]) -> str:
        """A name that changes when the unit or anything in `context` (window, lookups, source) does."""
        document = json.dumps([self.as_json(), context], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(document.encode()).hexdigest()[:40]

    def as_json(self) -> list[dict[str, Any]]:
        """The ranges as plain data."""
        return [asdict(each) for each in self.ranges]

    @classmethod
    def from_json(cls, ranges: list[dict[str, Any]]) -> Unit:
        """The inverse of `as_json`."""
        return cls(tuple(Range(**each) for each in ranges))

    def halves(self) -> tuple[Unit, Unit]:
        """The unit cut in the middle of its rows."""
        middle, seen = self.rows // 2, 0
        first: list[Range] = []
        second: list[Range] = []
        for each in self.ranges:
            cut = min(max(middle - seen, 0), each.rows)
            seen += each.rows
            if cut:
                first.append(Range(**{**asdict(each), "stop": each.start + cut}))
            if cut < each.rows:
                second.append(Range(**{**asdict(each), "start": each.start + cut}))
        return Unit(tuple(first)), Unit(tuple(second))


@dataclass(frozen=True)
class SourcePlan:
    """The source as found: files in order, and by source day the newest file's time (microseconds)."""

    files: tuple[SourceFile, ...]

    def days(self) -> dict[str | None, int]:
        """Each source day with the time of its newest file; the key None when the source has no days."""
        newest: dict[str | None, int] = {}
        for source in self.files:
            for group in source.groups:
                newest[group.day] = max(newest.get(group.day, 0), source.file.modified_us)
        return newest

    def units(self, unit_rows: int, days: frozenset[str] | None) -> list[Unit]:
        """Units of about `unit_rows` rows (a row group is never cut) over the given source days, or over all."""
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
                    yield Range(file.path, file.size, file.modified_us, group.day, start, stop)
                start = stop


def _append(pending: list[Range], each: Range) -> None:
    last = pending[-1] if pending else None
    if last and (last.path, last.day, last.stop) == (each.path, each.day, each.start):
        pending[-1] = Range(**{**asdict(last), "stop": each.stop})
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


@dataclass(frozen=True)
class _Piece:
    range: Range
    positions: Positions
    rows: pa.RecordBatch


class ParquetReader:
    """Reads a source as its pipeline describes it."""

    def __init__(self, source: ParquetSource, declarations: Mapping[str, Declaration], tag_field: str) -> None:
        self._source, self._declarations, self._tag_field = source, declarations, tag_field
        self._storage, _ = root_of(source.path)
        raw = [name for name in (source.value_column, source.type_column) if name]
        self._columns = raw if source.value_column else columns_read(declarations, tag_field)

    def plan(self) -> SourcePlan:
        """List the source, read its footers and hold every schema to the declared events.

        Raises:
            SourceError: nothing there, a broken file, or columns that cannot be read as declared; names the file.
        """
        storage, found = locate(self._source.path)
        files = read_footers(storage, found, self._source.day_column)
        checked: set[pa.Schema] = set()
        for each in files:
            schema = each.schema.remove_metadata()
            if schema not in checked:
                self._check(each.file.path, schema)
                checked.add(schema)
        return SourcePlan(tuple(files))

    def columns_of(self, schema: pa.Schema) -> list[str]:
        """The columns that are read of files with this schema."""
        return [name for name in self._columns if name in schema.names]

    def batches(self, unit: Unit) -> Iterator[Slice]:
        """The events of a unit, at most some 64 MB and 65,536 rows at a time; small files share a batch.

        Raises:
            SourceError: a file changed since the run was planned, or cannot be read.
        """
        pending: list[_Piece] = []
        for piece in self._pieces(unit):
            rows, size = (
                sum(getattr(each.rows, name) for each in [*pending, piece]) for name in ("num_rows", "nbytes")
            )
            if pending and (rows > _BATCH_ROWS or size > _BATCH_BYTES or piece.rows.schema != pending[0].rows.schema):
                yield self._slice(pending)
                pending = []
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

    def _check(self, path: str, schema: pa.Schema) -> None:
        problems = self._raw_problems(schema) if self._source.value_column else self._typed_problems(schema)
        if problems:
            listed = "\n  ".join(problems)
            raise SourceError(f"{self._storage.uri}/{path} cannot be read as this pipeline declares:\n  {listed}")

    def _raw_problems(self, schema: pa.Schema) -> list[str]:
        named = {"value_column": self._source.value_column, "type_column": self._source.type_column}
        found = (_raw_problem(schema, key, name) for key, name in named.items() if name)
        return [problem for problem in found if problem]

    def _typed_problems(self, schema: pa.Schema) -> list[str]:
        return schema_problems(schema, self._declarations, self._tag_field, self._source.timezone)

    def _read(self, each: Range) -> Iterator[_Piece]:
        found = self._storage.stat(each.path)
        if found is None or (found.size, found.modified_us) != (each.size, each.modified_us):
            raise SourceError(
                f"{self._storage.uri}/{each.path}: the file changed while the run was on. Try: run again when it rests"
            )
        with open_parquet(self._storage, each.path) as opened:
            groups, first = _groups(opened.metadata, each)
            row_bytes = _row_bytes(opened.metadata, groups)
            batches = opened.iter_batches(
                batch_size=max(1, min(_BATCH_ROWS, _BATCH_BYTES // row_bytes)),
                row_groups=groups,
                columns=self.columns_of(opened.schema_arrow),
                use_threads=False,
            )
            for batch in batches:
                low, high = max(each.start, first), min(each.stop, first + batch.num_rows)
                if low < high:
                    rows = batch.slice(low - first, high - low)
                    yield _Piece(each, np.arange(low, high, dtype=np.int64), rows.replace_schema_metadata(None))
                first += batch.num_rows

    def _slice(self, pieces: Sequence[_Piece]) -> Slice:
        lengths = [piece.rows.num_rows for piece in pieces]
        positions = np.concatenate([piece.positions for piece in pieces])
        rows = pa.concat_batches([piece.rows for piece in pieces])
        days = [(piece.range.day, length) for piece, length in zip(pieces, lengths, strict=True)]
        source = _source([piece.range.path for piece in pieces], lengths)
        if self._source.value_column:
            values, types = pack_column(rows.column(self._source.value_column)), None
            if self._source.type_column:
                types = _names(rows.column(self._source.type_column))
            return Slice(RawBatch(values, source, positions, types), days)
        return Slice(TypedBatch(rows, source, positions, self._source.timezone), days)


def _source(paths: Sequence[str], lengths: Sequence[int]) -> BatchSource:
    if len(set(paths)) == 1:
        return paths[0]
    named = pa.array(paths).dictionary_encode()
    return named.take(pa.array(np.repeat(np.arange(len(paths)), lengths)))


def _names(column: pa.Array) -> Sequence[str | None]:
    """Event types; bytes that are no text stay visible as lone surrogates, which the decoder refuses."""
    plain = column.dictionary_decode() if pt.is_dictionary(column.type) else column
    names = plain.cast(pa.large_binary()).to_pylist()
    return [None if name is None else name.decode("utf-8", "surrogateescape") for name in names]


def _raw_problem(schema: pa.Schema, key: str, name: str) -> str | None:
    if name not in schema.names:
        return f"column {name}: {key} names it and it is missing; there is {', '.join(schema.names)}"
    found = schema.field(name).type
    plain = found.value_type if pt.is_dictionary(found) and key == "type_column" else found
    good = (pt.is_binary, pt.is_large_binary, pt.is_string, pt.is_large_string)
    return None if any(is_kind(plain) for is_kind in good) else f"column {name}: expected bytes or text, got {found}"


def _groups(metadata: Any, each: Range) -> tuple[list[int], int]:
    """The row groups a range touches, and the first row of the first of them."""
    groups: list[int] = []
    first = start = 0
    for index in range(metadata.num_row_groups):
        stop = start + metadata.row_group(index).num_rows
        if start < each.stop and stop > each.start:
            first = start if not groups else first
            groups.append(index)
        start = stop
    return groups, first


def _row_bytes(metadata: Any, groups: list[int]) -> int:
    decoded: int = sum(metadata.row_group(group).total_byte_size for group in groups)
    rows: int = sum(metadata.row_group(group).num_rows for group in groups)
    return max(1, decoded // max(1, rows))
