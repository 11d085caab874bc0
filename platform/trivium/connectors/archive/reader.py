"""The batch source as a run reads it: an archive, held to the declared events, and the events of its units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

import numpy as np
import pyarrow as pa

from trivium.connectors.archive.columns import FileColumns, SourceColumns
from trivium.connectors.archive.findings import SourceFindings
from trivium.connectors.archive.listing import Listing
from trivium.connectors.archive.slices import Piece, Slice, slice_of
from trivium.connectors.archive.units import Range, SourceFile, SourcePlan, Unit
from trivium.contract.source import SourceSettings
from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import StoredFile

_BATCH_ROWS: Final = 65_536
_BATCH_BYTES: Final = 64 << 20


class Archive(Protocol):
    """One kind of archive: what it is made of, and the rows of it. `uri` names it in messages."""

    @property
    def uri(self) -> str:
        """The place of the archive."""
        ...

    def listing(self) -> Listing:
        """Return its files.

        Raises:
            SourceError: there are none.
        """
        ...

    def describe(self, files: Sequence[StoredFile], day_column: str | None) -> list[SourceFile]:
        """Return what files say of their rows, and of their days where `day_column` asks for them.

        Raises:
            SourceError: a broken file, or one that does not tell its days.
        """
        ...

    def check_unchanged(self, each: Range) -> None:
        """Prove that the file of a range is as it was when the run was planned.

        Raises:
            SourceError: it is not.
        """
        ...

    def rows(self, each: Range) -> Iterator[tuple[int, pa.RecordBatch, FileColumns]]:
        """Read the rows of a range in order, each step with the place of its first row.

        Raises:
            pa.ArrowException, OSError, SourceError: the file cannot be read.
        """
        ...


class SourceReader:
    """Reads an archive as the pipeline's section describes it."""

    def __init__(self, section: SourceSettings, archive: Archive, columns: SourceColumns) -> None:
        self._section, self._columns = section, columns
        self.archive = archive

    def plan(self) -> SourcePlan:
        """List the source, see what its files say of their rows, and hold every schema to the declared events.

        Raises:
            SourceError: nothing there, a broken file, or columns that cannot be read as declared; names the file.
        """
        listing = self.archive.listing()
        files = self.archive.describe(listing.files, self._section.day_column)
        return SourcePlan(tuple(files), (*listing.notes(), *self.check(files)), listing.version)

    def check(self, files: Iterable[SourceFile]) -> list[str]:
        """Hold the schema of each file to the declared events; returns what a person may want to know of them.

        Raises:
            SourceError: columns that cannot be read as declared; names the file.
        """
        found = SourceFindings(self._columns)
        for each in files:
            problems = found.add(each)
            if problems:
                listed = "\n  ".join(problems)
                raise SourceError(
                    f"{self.archive.uri}/{each.file.path} cannot be read as this pipeline declares:\n  {listed}"
                )
        return found.notes()

    def columns_of(self, file: SourceFile) -> tuple[str, ...]:
        """Return the columns that are read of a file, those that lie in its folders' names among them."""
        found = self._columns.of(file.file.path, file.schema)
        return (*found.own, *found.folders)

    def batches(self, unit: Unit) -> Iterator[Slice]:
        """Yield the events of a unit, at most some 64 MB and 65,536 rows at a time; small files share a batch.

        A single row that is larger is a batch of its own.

        Raises:
            SourceError: a file changed since the run was planned, or cannot be read.
        """
        pending: list[Piece] = []
        rows = size = 0
        for piece in self._pieces(unit):
            rows, size = rows + piece.rows.num_rows, size + piece.rows.nbytes
            if pending and (rows > _BATCH_ROWS or size > _BATCH_BYTES or piece.shape != pending[0].shape):
                yield slice_of(pending, self._section)
                pending, rows, size = [], piece.rows.num_rows, piece.rows.nbytes
            pending.append(piece)
        if pending:
            yield slice_of(pending, self._section)

    def _pieces(self, unit: Unit) -> Iterator[Piece]:
        for each in unit.ranges:
            try:
                yield from self._read(each)
            except (pa.ArrowException, OSError) as error:
                raise SourceError(
                    f"{self.archive.uri}/{each.path}, rows {each.start} to {each.stop}: cannot be read: {error}. "
                    "Try: restore the file and run again; finished units are kept"
                ) from error

    def _read(self, each: Range) -> Iterator[Piece]:
        self.archive.check_unchanged(each)
        for first, rows, columns in self.archive.rows(each):
            positions = np.arange(first, first + rows.num_rows, dtype=np.int64)
            yield Piece(each.path, each.day, positions, rows, columns.folders)
