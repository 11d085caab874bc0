"""A data file's statistics as Delta keeps them: its rows, and least value, greatest value and nulls of its columns.

Readers leave out files whose bounds exclude a query's predicate, so it is all or nothing, for a column and for a file:

- A column is described when its type has bounds: text, numbers, booleans, times and dates, and structs of nothing but
  these (as JSON objects: Polars fails on a struct of which it gets a part). It has both bounds, or only nulls. Bytes,
  lists and structs that hold some have no bounds and are not described at all.
- A file that holds a value no bound can be written for (NaN, infinity, a time outside the years 1 to 9999, text whose
  upper bound cannot be shortened) says nothing but `numRecords`.

A null count beside missing bounds would hide rows: deltalake's `to_pyarrow_dataset` reads it as `column >= null`. So it
does with an absent null count, where other files have bounds: a column that the file lacks is described as null.

Values are looked at as they are written. Parquet's footers would not do: they know nothing of NaN, leave out text of
more than 4 KiB, and count a column with both as one without bounds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

LONGEST_TEXT: Final = 32
"""Characters of a text's bounds, as Spark cuts them. Shorter text is its own bound."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_LAST_CODE_POINT: Final = 0x10FFFF
_SURROGATES: Final = (0xD800, 0xE000)  # the first, and the first code point after them
Path = tuple[str, ...]


def has_bounds(kind: pa.DataType) -> bool:
    """Return whether columns of this type have bounds; structs do if all that is inside them has."""
    if pt.is_struct(kind):
        return kind.num_fields > 0 and all(has_bounds(child.type) for child in kind)
    return any(matches(_plain(kind)) for matches in _BOUNDED)


def described_columns(schema: pa.Schema, partition_columns: Collection[str]) -> str:
    """Return the columns that have statistics, as Delta's property dataSkippingStatsColumns lists them.

    Structs that are not described are listed field by field: behind a struct that is left out, deltalake finds no
    column's statistics, and one that is listed whole it takes for bounded.
    """
    paths: list[Path] = []
    for field in schema:
        if field.name not in partition_columns and (has_bounds(field.type) or pt.is_struct(field.type)):
            paths += (
                [(field.name,)] if has_bounds(field.type) else [path for path, _ in _leaves((field.name,), field.type)]
            )
    return ",".join(".".join(map(_quoted, path)) for path in paths)


class FileStatistics:
    """The statistics of one file, gathered from the tables written into it; partition columns are left out."""

    def __init__(self, schema: pa.Schema, leave_out: Collection[str] = ()) -> None:
        self._rows = 0
        fields = (column for column in schema if column.name not in leave_out and has_bounds(column.type))
        self._leaves = [_Leaf(path, kind) for column in fields for path, kind in _leaves((column.name,), column.type)]

    def add(self, rows: pa.Table) -> None:
        """Take in rows with columns of the schema; one that they lack is null in all of them."""
        self._rows += rows.num_rows
        held = set(rows.column_names)
        for leaf in self._leaves:
            if leaf.path[0] in held:
                leaf.add(_values(rows, leaf.path))
            else:
                leaf.nulls += rows.num_rows

    def encode(self) -> str:
        """Return the statistics as Delta's JSON text."""
        document: dict[str, Any] = {"numRecords": self._rows}
        bounds = {leaf.path: pair for leaf in self._leaves if (pair := leaf.bounds()) is not None}
        if self._rows and len(bounds) == len(self._leaves):
            document["minValues"] = _nested({path: pair[:1] for path, pair in bounds.items()})
            document["maxValues"] = _nested({path: pair[1:] for path, pair in bounds.items()})
            document["nullCount"] = _nested({leaf.path: (leaf.nulls,) for leaf in self._leaves})
        return msgspec.json.encode(document).decode()


@dataclass
class _Leaf:
    """One column, or a field inside a struct. `low` and `high` are Python's values; None before there is one."""

    path: Path
    kind: pa.DataType
    nulls: int = 0
    low: Any = None
    high: Any = None
    unbounded: bool = False

    def add(self, column: pa.ChunkedArray) -> None:
        self.nulls += column.null_count
        if self.unbounded or column.null_count == len(column):
            return
        if pt.is_floating(column.type) and not pc.all(pc.is_finite(column)).as_py():
            self.unbounded = True
            return
        if pt.is_dictionary(column.type):
            column = pc.unique(column.unify_dictionaries()).dictionary_decode()  # a dictionary may hold unused values
        if pt.is_temporal(column.type):
            column = column.cast(pa.int32() if pt.is_date32(column.type) else pa.int64())
        pair = pc.min_max(column).as_py()
        self.low = pair["min"] if self.low is None else min(self.low, pair["min"])
        self.high = pair["max"] if self.high is None else max(self.high, pair["max"])

    def bounds(self) -> tuple[Any, ...] | None:
        """Return both bounds as JSON holds them, () where every value is null, None where they cannot be written."""
        if self.unbounded:
            return None
        if self.low is None:
            return ()
        try:
            return _written(self.low, self.high, _plain(self.kind))
        except (OverflowError, ValueError):
            return None


def _written(low: Any, high: Any, kind: pa.DataType) -> tuple[Any, ...] | None:
    if pt.is_string(kind):
        above = _not_below(high)
        return None if above is None else (low[:LONGEST_TEXT], above)
    if pt.is_timestamp(kind):
        return _time(low, kind), _time(high, kind)
    if pt.is_date32(kind):
        return _day(low), _day(high)
    if isinstance(low, Decimal):
        return msgspec.Raw(f"{low:f}".encode()), msgspec.Raw(f"{high:f}".encode())
    if pt.is_floating(kind):
        return low or -0.0, high or 0.0  # both zeros are one value to some readers and two to others
    return low, high


def _not_below(text: str) -> str | None:
    """Return a text of at most LONGEST_TEXT characters that is not less, by code points as by UTF-8's bytes."""
    if len(text) <= LONGEST_TEXT:
        return text
    for last in reversed(range(LONGEST_TEXT)):
        following = ord(text[last]) + 1
        if following <= _LAST_CODE_POINT:
            following = _SURROGATES[1] if following == _SURROGATES[0] else following
            return text[:last] + chr(following)
    return None


def _time(micros: int, kind: pa.DataType) -> str:
    moment = (_EPOCH + timedelta(microseconds=micros)).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds") + ("Z" if kind.tz else "")


def _day(number: int) -> str:
    return date.fromordinal(_EPOCH_DAY + number).isoformat()


def _leaves(path: Path, kind: pa.DataType) -> Iterator[tuple[Path, pa.DataType]]:
    if not pt.is_struct(kind):
        yield path, kind
        return
    for child in kind:
        yield from _leaves((*path, child.name), child.type)


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"\w+", name, re.ASCII) else f"`{name}`"


def _values(rows: pa.Table, path: Path) -> pa.ChunkedArray:
    """Return the values of a leaf, null where a struct around it is."""
    column = rows[path[0]]
    for name in path[1:]:
        column = pc.struct_field(column, name)
    return column


def _nested(values: dict[Path, tuple[Any, ...]]) -> dict[str, Any]:
    """Return the values as JSON objects, also of structs without any: readers take an absent one for bounded."""
    document: dict[str, Any] = {}
    for path, value in values.items():
        inner = document
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner.update(zip(path[-1:], value, strict=False))
    return document


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pt.is_dictionary(kind) else kind


_BOUNDED: Final = (
    pt.is_boolean,
    pt.is_integer,
    pt.is_floating,
    pt.is_decimal,
    pt.is_string,
    pt.is_timestamp,
    pt.is_date32,
)
