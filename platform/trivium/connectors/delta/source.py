"""A Delta table as batch's source: the files of one version, read as Parquet with the partition columns of the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from trivium.config.model.sources import DeltaSource
from trivium.connectors.archive.columns import FileColumns, SourceColumns
from trivium.connectors.archive.listing import Listing
from trivium.connectors.archive.units import Range, SourceFile
from trivium.connectors.delta.files import stored_files
from trivium.connectors.parquet.source import ParquetArchive
from trivium.core.errors import SourceError
from trivium.delivery.delta.handle import read_delta
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.storage.storage import StoredFile


class DeltaArchive:
    """One version of a table. The driver reads the log, once; workers read the files that it named."""

    def __init__(self, section: DeltaSource, columns: SourceColumns) -> None:
        self._path, self._version = section.path, section.version
        self._files = ParquetArchive(section, columns)

    @property
    def uri(self) -> str:
        """The place of the table."""
        return self._files.uri

    def listing(self) -> Listing:
        """Return the files of the version, with a note of its number.

        Raises:
            SourceError: there is no table, no such version or no file, a file is gone, or the values of the partition
                columns do not lie in the files' folders.
            UnsupportedFeature: readers of the table would have to know what we do not.
        """
        snapshot = Snapshot(read_delta(self._path, self._version))
        files = stored_files(self._path, snapshot.version, snapshot.active.values())
        if not files:
            raise SourceError(
                f"{self._path}: expected rows in version {snapshot.version}, found none. Try: another version"
            )
        return Listing(tuple(files), version=snapshot.version)

    def describe(self, files: Sequence[StoredFile], day_column: str | None) -> list[SourceFile]:
        """Read the footers of files.

        Raises:
            SourceError: a file is no whole Parquet file, or does not tell its days.
        """
        return self._files.describe(files, day_column)

    def check_unchanged(self, each: Range) -> None:
        """Prove that the file of a range is as it was when the run was planned.

        Raises:
            SourceError: it is not.
        """
        self._files.check_unchanged(each)

    def rows(self, each: Range) -> Iterator[tuple[int, pa.RecordBatch, FileColumns]]:
        """Read the rows of a range in order, each step with the place of its first row.

        Raises:
            pa.ArrowException, OSError, SourceError: the file cannot be read.
        """
        return self._files.rows(each)
