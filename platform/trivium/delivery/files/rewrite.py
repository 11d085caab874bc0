"""Compaction's files: the rows of a group of small files, copied into one.

Rows are copied as they are, lineage columns included: files by the source and position they begin at, within a file in
the file's order. Memory is bounded by a row group, a file's size by that of its group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from trivium.delivery.delta.snapshot import ActiveFile
from trivium.delivery.errors import FileMismatch
from trivium.delivery.files.data_file import DataFile, validate
from trivium.delivery.files.lineage import EVENT_TYPE
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage

_ROWS_AT_A_TIME: Final = 65_536
Chosen = Callable[[pa.Table], pa.Array]
"""Returns a boolean a row: those to keep."""


@dataclass(frozen=True)
class Layout:
    """The layout of a table's files, beyond what its log says.

    `runtime` is the partition column that makes no folder; `log_only` are partition columns that are in the log and not
    in files; `order` are the columns that say where a row came from. `apart` names, by runtime, columns of which a file
    holds one value.
    """

    runtime: str
    order: tuple[str, str]
    log_only: frozenset[str] = frozenset()
    apart: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


EVENTS: Final = Layout("_runtime", ("_source", "_position"), apart={"batch": (EVENT_TYPE,)})
DEAD_LETTERS: Final = Layout("runtime", ("source", "position"), frozenset({"generation"}))


@dataclass(frozen=True)
class Group:
    """Small files of one partition that are to become one, in the order their rows are copied."""

    values: Mapping[str, str | None]
    files: tuple[ActiveFile, ...]


@dataclass(frozen=True)
class Rewritten:
    """A group and the files that hold its rows now."""

    group: Group
    files: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)


def rewrite(storage: Storage, layout: Layout, schema: pa.Schema, group: Group) -> Rewritten:
    """Write the rows of a group into one file (batch: one a type), under names used once; nobody sees it yet.

    Raises:
        FileMismatch: a file of the group does not hold what the table's schema says.
        StorageError: the storage refused.
    """
    schema = pa.schema([column for column in schema if column.name not in layout.log_only])
    folders = [name for name in group.values if name != layout.runtime and name not in layout.log_only]
    constants = {layout.runtime: group.values[layout.runtime] or ""}
    apart = layout.apart.get(constants[layout.runtime], ())
    writer = PartitionedFiles(storage, schema, folders, "compacted", constants, apart)
    read = 0
    try:
        for file in group.files:
            for rows in rows_of_file(storage, file, schema, layout.runtime):
                writer.write(rows)
                read += rows.num_rows
        files = tuple(msgspec.structs.replace(each, partition_values=dict(group.values)) for each in writer.close())
    except BaseException:
        writer.abandon()
        raise
    validate(storage, files, schema)
    _check_rows(storage, group, read, sum(file.rows for file in files))
    return Rewritten(group, files)


def copied_rows(
    storage: Storage, layout: Layout, schema: pa.Schema, name: str, file: ActiveFile, chosen: Chosen | None = None
) -> tuple[DataFile, ...]:
    """Write a file's rows, or those `chosen` of them, in the columns of `schema` into files that nobody sees yet.

    Raises:
        FileMismatch: the file does not read as rows of these columns.
        StorageError: the storage refused.
    """
    folders = [column for column in file.partition_values if column != layout.runtime]
    constants = {layout.runtime: file.partition_values[layout.runtime] or ""}
    writer = PartitionedFiles(
        storage, schema, folders, name, constants, layout.apart.get(constants[layout.runtime], ())
    )
    try:
        for rows in rows_of_file(storage, file, schema, layout.runtime):
            writer.write(rows if chosen is None else rows.filter(chosen(rows)))
        files = tuple(
            msgspec.structs.replace(each, partition_values=dict(file.partition_values)) for each in writer.close()
        )
    except BaseException:
        writer.abandon()
        raise
    validate(storage, files, schema)
    return files


def rows_of_file(storage: Storage, file: ActiveFile, schema: pa.Schema, runtime: str) -> Iterator[pa.Table]:
    """Yield the rows of an active file in the table's columns, the runtime's aside.

    Raises:
        FileMismatch: the file does not read as the table's rows.
    """
    wanted = pa.schema([column for column in schema if column.name != runtime])
    with storage.open(file.path) as stream:
        try:
            for batch in pq.ParquetFile(stream).iter_batches(_ROWS_AT_A_TIME):
                yield pa.table([_column(batch, file, column) for column in wanted], schema=wanted)
        except pa.ArrowException as error:
            message = f"data file {file.path} of {storage.uri} does not read as the table's rows: {error}"
            raise FileMismatch(f"{message}; nothing was committed. Try: see who wrote it") from error


def _column(batch: pa.RecordBatch, file: ActiveFile, column: pa.Field) -> pa.Array:
    if column.name in file.partition_values:
        value = file.partition_values[column.name]
        return pa.repeat(pa.scalar(value, pa.string()).cast(column.type), batch.num_rows)
    if column.name in batch.schema.names:
        return batch.column(column.name).cast(column.type)
    return pa.nulls(batch.num_rows, column.type)  # the column is younger than the file


def _check_rows(storage: Storage, group: Group, read: int, written: int) -> None:
    if read != written:
        message = f"compaction of {group.files[0].path} in {storage.uri}: {read} rows were read, {written} written"
        raise FileMismatch(f"{message}; nothing was committed. This is a bug: report it")
