"""The source day of each row group: from a folder's name, or from the statistics of a column."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from trivium.connectors.archive.days import day_text, folder_day
from trivium.core.errors import SourceError


def group_days(
    uri: str, path: str, metadata: pq.FileMetaData, schema: pa.Schema, day_column: str | None
) -> list[str | None]:
    """Return the source day of each row group of a file, None where it has no rows or no `day_column` is given.

    A folder `day_column=YYYY-MM-DD` (an hour may follow) tells it of the whole file, else the column's statistics do.

    Raises:
        SourceError: neither does, or a row group has rows of several days.
    """
    rows = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    if day_column is None:
        return [None] * len(rows)
    folder = folder_day(uri, path, day_column)
    if folder is not None:
        return [folder] * len(rows)
    if any(rows) and day_column not in schema.names:
        raise SourceError(
            f"{uri}/{path}: expected a folder {day_column}=YYYY-MM-DD or a column {day_column}, found "
            "neither. Try: partition the archive by day, or leave out batch.source.day_column"
        )
    place = f"{uri}/{path}"
    return [_group_day(place, metadata, index, day_column) if count else None for index, count in enumerate(rows)]


def _group_day(place: str, metadata: pq.FileMetaData, index: int, day_column: str) -> str:
    group = metadata.row_group(index)
    at = next((i for i in range(group.num_columns) if group.column(i).path_in_schema == day_column), None)
    statistics = None if at is None else group.column(at).statistics
    low, high = _bounds(statistics) if statistics else (None, None)
    nulls = statistics.null_count if statistics else 0
    if low is None or low != high or nulls:
        without = f" and {nulls} rows without" if nulls else ""
        raise SourceError(
            f"{place}, row group {index}: expected one day in column {day_column}, "
            f"got {low} to {high}{without}. "
            "Try: write the archive with one day a row group, or partition it by day"
        )
    return low


def _bounds(statistics: pq.Statistics) -> tuple[str | None, str | None]:
    try:
        return day_text(statistics.min), day_text(statistics.max)
    except (ValueError, OverflowError):  # a time beyond the years that Python knows
        return None, None
