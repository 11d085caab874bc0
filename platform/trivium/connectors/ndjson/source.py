"""NDJSON as batch's source: a line is a record, its number its position."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pyarrow as pa

from trivium.config.model.sources import RECORD, NdjsonSource
from trivium.connectors.archive.columns import FileColumns, SourceColumns
from trivium.connectors.archive.days import folder_day
from trivium.connectors.archive.listing import Listing, list_files, root_of
from trivium.connectors.archive.units import Range, SourceFile, check_unchanged
from trivium.connectors.ndjson.lines import TextFile
from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage, StoredFile

_SUFFIX: Final = re.compile(r"\.(ndjson|jsonl|json)(\.gz|\.zst)?\Z", re.IGNORECASE)
_SCHEMA: Final = pa.schema([(RECORD, pa.binary())])
_THREADS: Final = 16
_STEP_LINES: Final = 4096


class NdjsonArchive:
    """Lines of files. The driver counts them; workers read a plain file from the byte where a unit begins."""

    def __init__(self, section: NdjsonSource, columns: SourceColumns) -> None:
        self._section, self._columns = section, columns
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
        return list_files(self._section.path, self._section.pattern, _by_name, "NDJSON")

    def describe(self, files: Sequence[StoredFile], day_column: str | None) -> list[SourceFile]:
        """Count the lines of files, in parallel.

        Raises:
            SourceError: a file is torn, a line is too long, or no folder names the day that `day_column` asks for.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(lambda file: _counted(self._storage, file, day_column), files))

    def check_unchanged(self, each: Range) -> None:
        """Prove that the file of a range is as it was when the run was planned.

        Raises:
            SourceError: it is not.
        """
        check_unchanged(self._storage, each)

    def rows(self, each: Range) -> Iterator[tuple[int, pa.RecordBatch, FileColumns]]:
        """Read the lines of a range in order, each step with the number of its first.

        Raises:
            SourceError: the file is torn or damaged, or a line is too long.
        """
        columns = self._columns.of(each.path, _SCHEMA)
        for first, lines in TextFile(self._storage, each.path).read(range(each.start, each.stop), each.mark):
            for low in range(0, len(lines), _STEP_LINES):
                values = pa.array(lines[low : low + _STEP_LINES], pa.binary())
                yield first + low, pa.record_batch([values], schema=_SCHEMA), columns


def _counted(storage: Storage, file: StoredFile, day_column: str | None) -> SourceFile:
    day = folder_day(storage.uri, file.path, day_column)
    if day_column is not None and day is None:
        raise SourceError(
            f"{storage.uri}/{file.path}: expected a folder {day_column}=YYYY-MM-DD, found none. "
            "Try: keep the archive in a folder a day, or leave out batch.source.day_column"
        )
    return SourceFile(file, _SCHEMA, TextFile(storage, file.path).groups(day), day)


def _by_name(storage: Storage, there: Sequence[StoredFile]) -> Listing:
    read = tuple(file for file in there if _SUFFIX.search(file.path))
    foreign = tuple(file.path for file in there if not _SUFFIX.search(file.path))
    return Listing(read, foreign=foreign)
