"""What a data file is, and the proof that one is what its manifest says."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from trivium.delivery.errors import FileMismatch
from trivium.delivery.storage import Storage

_LONGEST_STRING_STATISTIC: Final = 64


@dataclass(frozen=True)
class DataFile:
    """A closed Parquet file: `path` relative to the table, `size` in bytes.

    `partition_values` are Delta's strings. `statistics` is Delta's JSON text: numRecords, and minimum, maximum and null
    count of scalar columns.
    """

    path: str
    partition_values: Mapping[str, str | None]
    rows: int
    size: int
    statistics: str = field(repr=False, default="")

    def as_json(self) -> dict[str, Any]:
        """The manifest as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> DataFile:
        """The inverse of `as_json`."""
        return cls(**document)

    def with_partition(self, name: str, value: str | None) -> DataFile:
        """The same file under one more partition value."""
        return replace(self, partition_values={**self.partition_values, name: value})


def file_statistics(footer: pq.FileMetaData, leave_out: Collection[str] = ()) -> str:
    """Delta's statistics of a file, taken from its Parquet footer; partition columns are to be left out.

    Floats are left out (NaN has no place in them), so are long strings and nested columns.
    """
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for index in range(footer.num_columns):
        name = footer.schema.column(index).path
        found = [footer.row_group(group).column(index).statistics for group in range(footer.num_row_groups)]
        if "." in name or name in leave_out or not found or any(one is None or not one.has_null_count for one in found):
            continue
        nulls[name] = sum(one.null_count for one in found)
        bounds = [(one.min, one.max) for one in found if one.has_min_max]
        whole = all(one.has_min_max or one.num_values == 0 for one in found)
        if bounds and whole and (texts := _delta_bounds(bounds)) is not None:
            low[name], high[name] = texts
    return json.dumps({"numRecords": footer.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls})


def _delta_bounds(bounds: list[tuple[Any, Any]]) -> tuple[Any, Any] | None:
    low, high = min(pair[0] for pair in bounds), max(pair[1] for pair in bounds)
    if type(low) is int:
        return low, high
    if isinstance(low, str):
        short = max(len(low), len(high)) <= _LONGEST_STRING_STATISTIC
        return (low, high) if short else None
    if isinstance(low, datetime):
        return _timestamp(low), _timestamp(high)
    return (low.isoformat(), high.isoformat()) if isinstance(low, date) else None


def _timestamp(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f") + ("Z" if value.tzinfo is not None else "")


def validate(storage: Storage, files: Iterable[DataFile], schema: pa.Schema) -> None:
    """Prove that every file is what its manifest says: there, whole, with its rows, its size and the table's columns.

    Raises:
        FileMismatch: the first file that differs, with what was expected and what was found.
    """
    for file in files:
        check_presence(storage, file)
        footer = _footer(storage, file)
        if footer.num_rows != file.rows:
            raise _mismatch(storage, file, "rows", file.rows, footer.num_rows)
        _check_columns(storage, file, footer.schema.to_arrow_schema(), schema)


def check_presence(storage: Storage, file: DataFile) -> None:
    """Prove that the file is there with its recorded size.

    Raises:
        FileMismatch: it is gone (clean-up took it for an orphan) or has another size.
    """
    found = storage.stat(file.path)
    if found is None:
        message = (
            f"data file {file.path} of {storage.uri} is no longer on storage; nothing was committed. "
            "Try: run again (its unit is written anew), and keep vacuum's retention longer than a run"
        )
        raise FileMismatch(message)
    if found.size != file.size:
        raise _mismatch(storage, file, "bytes", file.size, found.size)


def _footer(storage: Storage, file: DataFile) -> pq.FileMetaData:
    try:
        with storage.open(file.path) as stream:
            return pq.read_metadata(stream)
    except (pa.ArrowException, OSError) as error:
        raise _mismatch(storage, file, "content", "a Parquet file", str(error)) from error


def _check_columns(storage: Storage, file: DataFile, found: pa.Schema, schema: pa.Schema) -> None:
    optional = set(file.partition_values)
    for column in schema:
        if column.name not in found.names:
            if column.name not in optional:
                raise _mismatch(storage, file, f"column {column.name}", column.type, "no such column")
        elif not _same_type(found.field(column.name).type, column.type):
            raise _mismatch(storage, file, f"column {column.name}", column.type, found.field(column.name).type)
    extra = sorted(set(found.names) - set(schema.names))
    if extra:
        raise _mismatch(storage, file, "columns", schema.names, f"also {extra}")


def _same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    """Whether the types agree, but for names and nullability inside lists: Parquet renames those."""
    if pa.types.is_dictionary(expected):
        expected = expected.value_type
    if pa.types.is_list(expected) and pa.types.is_list(found):
        return _same_type(found.value_type, expected.value_type)
    if pa.types.is_struct(expected) and pa.types.is_struct(found):
        pairs = zip(found, expected, strict=False)
        return len(found) == len(expected) and all(a.name == b.name and _same_type(a.type, b.type) for a, b in pairs)
    return bool(found.equals(expected))


def _mismatch(storage: Storage, file: DataFile, what: str, expected: object, got: object) -> FileMismatch:
    message = f"data file {file.path} of {storage.uri}: expected {what} {expected}, got {got}; nothing was committed"
    return FileMismatch(message)
