"""Writes tables of rows into one Parquet file per partition, with a bounded number of files open."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from trivium.delivery.columns import widens
from trivium.delivery.errors import SchemaConflict
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.lineage import DICTIONARY_COLUMNS
from trivium.delivery.files.open_partition import OpenPartition
from trivium.delivery.files.partition_values import check_partition_types, folder_name, partition_text
from trivium.delivery.files.spilled_rows import SpilledRows
from trivium.delivery.storage.storage import Storage
from trivium.engine.batch import constant

_OPEN_FILES: Final = 16
_WAITING_BYTES: Final = 64 << 20
"""Rows of all files together that wait in memory to be a row group; beyond it they wait on the worker's own disk."""
_WORTH_A_ROW_GROUP: Final = 8 << 20

Partition = tuple[str | None, ...]


class PartitionedFiles:
    """A writer that splits rows by the columns of `partition_by` and puts `constants` into every row.

    A file holds one value of each column of `apart`. Where it may hold several event types, its row groups are sorted
    by them.

    Paths are `<first column>=<value>/<constants>-<name>-<random>.parquet`. The column of the folder is left out of the
    file; every other partition column is in the file as well as in the log, for readers that know partitions from paths
    only (Polars). No folder's name begins with `_`, which Delta's vacuum would skip.
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
        columns = [field for field in schema if field.name not in self._constants]
        self._types = {field.name: _plain(field.type) for field in columns}
        self._required = [field.name for field in columns if not field.nullable]
        self._file_schema = _file_schema(schema, self._partition_by[:1])
        self._open: OrderedDict[Partition, OpenPartition] = OrderedDict()
        self._spilled = SpilledRows()
        self._closed: list[DataFile] = []

    def write(self, rows: pa.Table) -> None:
        """Append rows: columns of the schema, the constant ones aside (they are filled in).

        A nullable column may be missing: it is null in the file, or missing there too where all rows of it lack it.

        Raises:
            SchemaConflict: a required column is missing, one has a type that the schema's cannot hold or is no column
                of the schema, or a partition value would not come back as it went.
            StorageError: the storage refused.
        """
        rows = self._conformed(rows)
        for partition, part in _split(rows, self._split_by):
            self._part(partition).append(part)
        self._bound()

    def close(self) -> list[DataFile]:
        """Close all files durably and return their manifests, in the order they were closed."""
        while self._open:
            self._close(next(iter(self._open)))
        self._spilled.close()
        return self._closed

    def abandon(self) -> None:
        """Remove every file written so far; none of them can have been committed."""
        for part in self._open.values():
            part.abandon()
        for done in self._closed:
            self._storage.remove(done.path)
        self._open.clear()
        self._spilled.close()
        self._closed = []

    def _conformed(self, rows: pa.Table) -> pa.Table:
        given = dict(zip(rows.column_names, rows.columns, strict=True))
        if missing := [name for name in self._required if name not in given]:
            message = f"rows for {self._storage.uri}: expected columns {self._required}, missing {missing}"
            raise SchemaConflict(message)
        for name, column in given.items():
            kind, expected = _plain(column.type), self._types.get(name)
            if kind == expected:
                continue
            if expected is None or not widens(kind, expected):
                expected = expected or "no such column"
                message = f"rows for {self._storage.uri}: column {name}: expected {expected}, got {column.type}"
                raise SchemaConflict(message)
            given[name] = column.cast(expected)
        for name in self._split_by:
            if name not in given:
                given[name] = pa.chunked_array([pa.nulls(rows.num_rows, self._types[name])])
            elif pa.types.is_dictionary(given[name].type):
                given[name] = given[name].cast(self._types[name])
        for name, value in self._constants.items():
            given[name] = pa.chunked_array([constant(value, rows.num_rows)])
        return pa.table(given)

    def _part(self, partition: Partition) -> OpenPartition:
        if partition not in self._open:
            columns = (*self._partition_by, *self._constants)
            path = partial(self._path, partition)
            self._open[partition] = OpenPartition(self._storage, path, self._file_schema, columns)
        self._open.move_to_end(partition)
        return self._open[partition]

    def _bound(self) -> None:
        """Hold waiting rows and begun files to their bounds.

        Rows are written where enough of them wait; a few each of many partitions go to the disk until all are there, so
        that unsorted rows make no more files than sorted ones. Of begun files those that are longest idle are closed.
        """
        waiting = sum(part.waiting_bytes for part in self._open.values())
        while waiting > _WAITING_BYTES:
            partition, largest = max(self._open.items(), key=lambda item: item[1].waiting_bytes)
            if largest.waiting_bytes < _WORTH_A_ROW_GROUP:
                self._spill()
                break
            waiting -= largest.waiting_bytes
            self._restore(partition)
            largest.flush()
        begun = [(partition, part.begun) for partition, part in self._open.items() if part.begun]
        files = sum(count for _, count in begun)
        for partition, count in begun[:-1]:
            if files > _OPEN_FILES:
                self._close(partition)
                files -= count

    def _spill(self) -> None:
        for partition, part in self._open.items():
            if part.waiting_bytes:
                self._spilled.put(partition, part.take_waiting())

    def _restore(self, partition: Partition) -> None:
        """Put the rows that wait on the disk before those in memory."""
        part = self._open[partition]
        later = part.take_waiting()
        for rows in self._spilled.take(partition):
            part.append(rows)
        for rows in later:
            part.append(rows)

    def _close(self, partition: Partition) -> None:
        self._restore(partition)
        values = dict(zip(self._partition_by, partition, strict=False)) | self._constants
        self._closed += self._open.pop(partition).close(values)

    def _path(self, partition: Partition) -> str:
        file = "-".join([*self._constants.values(), self._name, secrets.token_hex(8)]) + ".parquet"
        if not partition:
            return file
        return f"{folder_name(self._partition_by[0], partition[0])}/{file}"


def _split(rows: pa.Table, partition_by: tuple[str, ...]) -> Iterator[tuple[Partition, pa.Table]]:
    """Split rows by partition, in their order; one partition costs no copy."""
    if rows.num_rows == 0:
        return
    if all(_is_constant(rows[name]) for name in partition_by):
        yield _partition(rows, partition_by), rows
        return
    order = pc.sort_indices(rows.select(partition_by), sort_keys=[(name, "ascending") for name in partition_by])
    rows = rows.take(order)
    for part in _runs(rows, partition_by):
        yield _partition(part, partition_by), part


def _is_constant(column: pa.ChunkedArray) -> bool:
    return len(pc.unique(column)) == 1


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


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
