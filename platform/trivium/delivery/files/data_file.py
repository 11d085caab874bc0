"""Manifests of data files, and the proof that a file is what its manifest says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from trivium.delivery.errors import FileMismatch
from trivium.delivery.storage.storage import Storage


class DataFile(msgspec.Struct, frozen=True):
    """A closed Parquet file: `path` relative to the table, `size` in bytes.

    `partition_values` are Delta's strings. `statistics` is Delta's JSON text, made by `delivery.statistics`.
    """

    path: str
    partition_values: Mapping[str, str | None]
    rows: int
    size: int
    statistics: str = ""

    def with_partition(self, name: str, value: str | None) -> DataFile:
        """Return the same file under one more partition value."""
        return msgspec.structs.replace(self, partition_values={**self.partition_values, name: value})


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
            if not (column.nullable or column.name in optional):
                raise _mismatch(storage, file, f"column {column.name}", column.type, "no such column")
        elif not _same_type(found.field(column.name).type, column.type):
            raise _mismatch(storage, file, f"column {column.name}", column.type, found.field(column.name).type)
    extra = sorted(set(found.names) - set(schema.names))
    if extra:
        raise _mismatch(storage, file, "columns", schema.names, f"also {extra}")


def _same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    """Compare two types, but for names and nullability inside lists: Parquet renames those."""
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
