"""Parquet files below one root: what there is, told by listing and footers."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from trivium.contract.errors import SourceError
from trivium.delivery.storage import Storage, StoredFile

_THREADS: Final = 16
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class RowGroup:
    """One row group: its rows, its bytes once decoded, and the source day all its rows belong to, if days are known."""

    rows: int
    bytes: int
    day: str | None


@dataclass(frozen=True)
class SourceFile:
    """One file of a source with what its footer says."""

    file: StoredFile
    schema: pa.Schema
    groups: tuple[RowGroup, ...]

    @property
    def rows(self) -> int:
        """Rows in the whole file."""
        return sum(group.rows for group in self.groups)


def root_of(uri: str) -> tuple[Storage, str]:
    """The storage paths are relative to, and the one file below it that `uri` names ("" where it names a folder)."""
    folder, _, name = uri.rpartition("/")
    if name.endswith(".parquet"):
        parent = Storage(folder or ".")
        if parent.stat(name) and not parent.list(name):
            return parent, name
    return Storage(uri), ""


def locate(uri: str) -> tuple[Storage, list[StoredFile]]:
    """The storage and the Parquet files of a folder, or of the one file a path names, sorted by path.

    Names that begin with `_` or `.` are left out.

    Raises:
        SourceError: there is none.
    """
    storage, name = root_of(uri)
    if name and (found := storage.stat(name)):
        return storage, [found]
    files = [file for file in storage.list() if file.path.endswith(".parquet") and not _hidden(file.path)]
    if not files:
        raise SourceError(f"{uri}: expected Parquet files below it, found none. Try: check the path")
    return storage, files


def _hidden(path: str) -> bool:
    return any(part.startswith(("_", ".")) and "=" not in part for part in path.split("/"))


def read_footers(storage: Storage, files: list[StoredFile], day_column: str | None) -> list[SourceFile]:
    """The footers of all files, read in parallel.

    Raises:
        SourceError: a file is no whole Parquet file, or `day_column` does not tell one day for each row group.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda file: _footer(storage, file, day_column), files))


def open_parquet(storage: Storage, path: str) -> pq.ParquetFile:
    """Open one file.

    Raises:
        SourceError: it is no whole Parquet file.
    """
    try:
        return pq.ParquetFile(storage.open(path), pre_buffer=False, buffer_size=storage.read_ahead_bytes)
    except (pa.ArrowException, OSError) as error:
        raise _broken(storage, path, error) from error


def _broken(storage: Storage, path: str, error: Exception) -> SourceError:
    return SourceError(
        f"{storage.uri}/{path}: expected a whole Parquet file, got: {error}. "
        "Try: restore the file (or move it away) and run again; finished units are kept"
    )


def _footer(storage: Storage, file: StoredFile, day_column: str | None) -> SourceFile:
    with open_parquet(storage, file.path) as opened:
        metadata, schema = opened.metadata, opened.schema_arrow
    folder_day = _folder_day(file.path, day_column)
    column = schema.names.index(day_column) if day_column in schema.names and folder_day is None else None
    groups = []
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        day = folder_day if column is None else _group_day(storage, file.path, metadata, index, str(day_column))
        groups.append(RowGroup(group.num_rows, group.total_byte_size, day))
    if day_column is not None and any(group.day is None for group in groups):
        raise SourceError(
            f"{storage.uri}/{file.path}: expected a folder {day_column}=YYYY-MM-DD or a column {day_column}, found "
            "neither. Try: partition the archive by day, or leave out batch.source.day_column"
        )
    return SourceFile(file, schema, tuple(groups))


def _folder_day(path: str, day_column: str | None) -> str | None:
    for part in path.split("/")[:-1]:
        key, _, value = part.partition("=")
        if key == day_column and _DAY.fullmatch(value):
            return value
    return None


def _group_day(storage: Storage, path: str, metadata: pq.FileMetaData, index: int, day_column: str) -> str:
    group = metadata.row_group(index)
    at = next(i for i in range(group.num_columns) if group.column(i).path_in_schema == day_column)
    statistics = group.column(at).statistics
    low, high = (_day_text(statistics.min), _day_text(statistics.max)) if statistics else (None, None)
    nulls = statistics.null_count if statistics else 0
    if low is None or low != high or nulls:
        without = f" and {nulls} rows without" if nulls else ""
        raise SourceError(
            f"{storage.uri}/{path}, row group {index}: expected one day in column {day_column}, "
            f"got {low} to {high}{without}. "
            "Try: write the archive with one day a row group, or partition it by day"
        )
    return low


def _day_text(value: Any) -> str | None:
    text = value.isoformat()[:10] if hasattr(value, "isoformat") else str(value)
    return text if _DAY.fullmatch(text) else None
