"""The archives that are built in, as sources of one's own: what the kit says of those it says of these."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pyarrow as pa

from trivium import SourcePart
from trivium.connectors.archive.reader import SourceReader
from trivium.connectors.archive.units import Range
from trivium.core.errors import SourceError


class ArchiveSource:
    """A part is a range of a file that a unit of work would hold; its columns are those that a run reads."""

    def __init__(self, reader: SourceReader) -> None:
        self._archive = reader.archive
        (first, *_) = units = reader.plan().units(1, None)
        self._ranges = {f"{each.path}#{each.start}": each for unit in units for each in unit.ranges}
        self.schema: pa.Schema = next(self._archive.rows(first.ranges[0]))[1].schema

    def parts(self) -> Iterator[SourcePart]:
        """Return the ranges."""
        for name, each in self._ranges.items():
            day = None if each.day is None else date.fromisoformat(each.day)
            yield SourcePart(name=name, rows=each.rows, version=_version(each), day=day)

    def version(self, name: str) -> str | None:
        """Return the planned version of a range whose file is as it was."""
        each = self._ranges.get(name)
        try:
            if each is not None:
                self._archive.check_unchanged(each)
        except SourceError:
            return None
        return each and _version(each)

    def read(self, name: str, rows: range) -> Iterator[pa.RecordBatch]:
        """Yield rows of a range."""
        each, place = self._ranges[name], rows.start
        start, stop = each.start + rows.start, each.start + rows.stop
        part = Range(each.path, each.size, each.modified_us, each.day, start, stop, each.mark)
        for first, batch, _ in self._archive.rows(part):
            assert first == each.start + place, "a step says the place of its first row"
            place += batch.num_rows
            yield batch


def _version(each: Range) -> str:
    return f"{each.size} bytes at {each.modified_us}"
