"""Parquet files as batch's source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from trivium.config.model.sources import FileSource
from trivium.connectors.archive.columns import FileColumns, SourceColumns
from trivium.connectors.archive.listing import Listing, root_of
from trivium.connectors.archive.units import Range, SourceFile, check_unchanged
from trivium.connectors.parquet.files import open_parquet, read_footers
from trivium.connectors.parquet.listing import list_parquet
from trivium.connectors.parquet.rows import read_rows
from trivium.delivery.storage.storage import StoredFile


class ParquetArchive:
    """The Parquet files below a path. Only the declared columns are read."""

    def __init__(self, section: FileSource, columns: SourceColumns) -> None:
        self._path, self._pattern = section.path, getattr(section, "pattern", None)
        self._columns = columns
        self._storage, _ = root_of(section.path)

    @property
    def uri(self) -> str:
        """The place of the archive."""
        return self._storage.uri

    def listing(self) -> Listing:
        """Return its files.

        Raises:
            SourceError: there are none.
        """
        return list_parquet(self._path, self._pattern)

    def describe(self, files: Sequence[StoredFile], day_column: str | None) -> list[SourceFile]:
        """Read the footers of files.

        Raises:
            SourceError: a file is no whole Parquet file, or does not tell its days.
        """
        return read_footers(self._storage, files, day_column)

    def check_unchanged(self, each: Range) -> None:
        """Prove that the file of a range is as it was when the run was planned.

        Raises:
            SourceError: it is not.
        """
        check_unchanged(self._storage, each)

    def rows(self, each: Range) -> Iterator[tuple[int, pa.RecordBatch, FileColumns]]:
        """Read the rows of a range in order, each step with the place of its first row.

        Raises:
            pa.ArrowException, OSError, SourceError: the file cannot be read.
        """
        with open_parquet(self._storage, each.path) as opened:
            columns = self._columns.of(each.path, opened.schema_arrow)
            for first, rows in read_rows(self._storage, each.path, opened, range(each.start, each.stop), columns.own):
                yield first, rows, columns
