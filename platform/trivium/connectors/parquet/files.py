"""Parquet files below one root: opened one way, with what their footers say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from trivium.connectors.archive.days import folder_day
from trivium.connectors.archive.listing import root_of
from trivium.connectors.archive.units import RowGroup, SourceFile
from trivium.connectors.parquet.days import group_days
from trivium.connectors.parquet.listing import list_parquet
from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage, StoredFile

_THREADS: Final = 16


def locate(uri: str) -> tuple[Storage, list[StoredFile]]:
    """Return the storage and the Parquet files of a folder, or of the one file a path names, sorted by path.

    Raises:
        SourceError: there is none.
    """
    return root_of(uri)[0], list(list_parquet(uri).files)


def read_footers(storage: Storage, files: Sequence[StoredFile], day_column: str | None) -> list[SourceFile]:
    """Read the footers of all files, in parallel.

    Raises:
        SourceError: a file is no whole Parquet file, or `day_column` does not tell one day for each row group.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda file: _footer(storage, file, day_column), files))


def open_parquet(storage: Storage, path: str, **more: Any) -> pq.ParquetFile:
    """Open one file, its page checksums verified as it is read; `more` goes to pyarrow.

    Spark's INT96 times are read in microseconds, which reach from year 1 to 9999.

    Raises:
        SourceError: it is no whole Parquet file.
    """
    try:
        return pq.ParquetFile(
            storage.open(path),
            pre_buffer=False,
            buffer_size=storage.read_ahead_bytes,
            page_checksum_verification=True,
            coerce_int96_timestamp_unit="us",
            **more,
        )
    except (pa.ArrowException, OSError) as error:
        raise _broken(storage, path, error) from error


@contextmanager
def reading(storage: Storage, path: str) -> Iterator[None]:
    """Name the file in what goes wrong while it is read.

    Raises:
        SourceError: its bytes are damaged or cannot be had.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise _broken(storage, path, error) from error


def _broken(storage: Storage, path: str, error: Exception) -> SourceError:
    return SourceError(
        f"{storage.uri}/{path}: expected a whole Parquet file, got: {error}. "
        "Try: restore the file (or move it away) and run again; finished units are kept"
    )


def _footer(storage: Storage, file: StoredFile, day_column: str | None) -> SourceFile:
    if not file.size:
        raise _broken(storage, file.path, OSError("no bytes at all"))
    with open_parquet(storage, file.path) as opened:
        metadata, schema = opened.metadata, opened.schema_arrow
    days = group_days(storage.uri, file.path, metadata, schema, day_column)
    groups = (RowGroup(metadata.row_group(index).num_rows, day) for index, day in enumerate(days))
    return SourceFile(file, schema, tuple(groups), folder_day(storage.uri, file.path, day_column))
