"""Bounds of a lookup's facts, held while they are read and before they take memory."""

from __future__ import annotations

from trivium.config.model.file_lookups import FactsLookup
from trivium.core.errors import SourceError


class Bounds:
    """The count of what has been read of a lookup's rows and bytes, against the most there may be."""

    def __init__(self, lookup: str, settings: FactsLookup) -> None:
        self._lookup, self._settings = lookup, settings
        self._rows = self._bytes = 0

    def foresee(self, rows: int, place: str) -> None:
        """Prove that so many rows more may be read.

        Raises:
            SourceError: they may not; nothing of them has been read.
        """
        most = self._settings.max_rows
        if self._rows + rows > most:
            raise self._beyond(f"{self._rows + rows:,} rows up to {place}")

    def take(self, rows: int, size: int, place: str) -> None:
        """Count rows that were read, with their bytes in memory.

        Raises:
            SourceError: there are too many.
        """
        self._rows, self._bytes = self._rows + rows, self._bytes + size
        if self._rows > self._settings.max_rows or self._bytes > self._settings.max_bytes:
            raise self._beyond(f"{self._rows:,} rows and {self._bytes:,} bytes when {place} was read so far")

    def _beyond(self, got: str) -> SourceError:
        settings = self._settings
        return SourceError(
            f"lookup {self._lookup}: expected at most {settings.max_rows:,} rows and {settings.max_bytes:,} bytes, "
            f"got {got}. Try: fewer rows or columns, or raise max_rows and max_bytes"
        )
