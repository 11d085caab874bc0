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
    return Rewritten(group, copied_rows(storage, layout, schema, "compacted", group))


def copied_rows(
    storage: Storage, layout: Layout, schema: pa.Schema, name: str, group: Group, chosen: Chosen | None = None
) -> tuple[DataFile, ...]:
    """Write the rows of a group, or those `chosen` of them, in the types of `schema` into files that nobody sees yet.

    Raises:
        FileMismatch: a file does not read as rows of these columns, or the new files do not hold all rows.
        StorageError: the storage refused.
    """
    schema = pa.schema([column for column in schema if column.name not in layout.log_only])
    folders = [column for column in group.values if column != layout.runtime and column not in layout.log_only]
    constants = {layout.runtime: group.values[layout.runtime] or ""}
    apart = layout.apart.get(constants[layout.runtime], ())
    writer = PartitionedFiles(storage, schema, folders, name, constants, apart)
    read = 0
    try:
        for file in group.files:
            for rows in rows_of_file(storage, file, schema, layout.runtime):
                kept = rows if chosen is None else rows.filter(chosen(rows))
                writer.write(kept)
                read += kept.num_rows
        files = tuple(msgspec.structs.replace(each, partition_values=dict(group.values)) for each in writer.close())
    except BaseException:
        writer.abandon()
        raise
    validate(storage, files, schema)
    written = sum(file.rows for file in files)
    if read != written:
        message = f"rows of {group.files[0].path} in {storage.uri}: {read} rows were read, {written} written"
        raise FileMismatch(f"{message}; nothing was committed. This is a bug: report it")
    return files


def rows_of_file(storage: Storage, file: ActiveFile, schema: pa.Schema, runtime: str) -> Iterator[pa.Table]:
    """Yield the rows of an active file in the table's types, the runtime's column aside.

    Columns of the table that the file lacks, younger ones or other event types', are left out: they are null.

    Raises:
        FileMismatch: the file does not read as the table's rows.
    """
    with storage.open(file.path) as stream:
        try:
            opened = pq.ParquetFile(stream)
            held = {*opened.schema_arrow.names, *file.partition_values}
            wanted = pa.schema([column for column in schema if column.name in held and column.name != runtime])
            for batch in opened.iter_batches(_ROWS_AT_A_TIME):
                yield pa.table([_column(batch, file, column) for column in wanted], schema=wanted)
        except pa.ArrowException as error:
            message = f"data file {file.path} of {storage.uri} does not read as the table's rows: {error}"
            raise FileMismatch(f"{message}; nothing was committed. Try: see who wrote it") from error


def _column(batch: pa.RecordBatch, file: ActiveFile, column: pa.Field) -> pa.Array:
    if column.name in file.partition_values:
        value = file.partition_values[column.name]
        return pa.repeat(pa.scalar(value, pa.string()).cast(column.type), batch.num_rows)
    return batch.column(column.name).cast(column.type)
