"""Units of work over an archive: a unit is a list of ranges, a range is consecutive rows of one file.

The same files give the same units, whatever the number of workers. Positions are rows of the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage, StoredFile


@dataclass(frozen=True)
class RowGroup:
    """One row group: its rows, and the source day all its rows belong to, if days are known.

    `mark` is its first row and the byte where that begins, in files of lines.
    """

    rows: int
    day: str | None
    mark: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class SourceFile:
    """One file of a source with what it says of its rows, or one part of a plug-in's, which has a `version`.

    `day` is the source day that the folder names, if one does.
    """

    file: StoredFile
    schema: pa.Schema
    groups: tuple[RowGroup, ...]
    day: str | None = None
    version: str = ""

    @property
    def days(self) -> frozenset[str | None]:
        """The source days that the file stands for, be it without rows."""
        return frozenset({self.day} if self.day is not None else {group.day for group in self.groups if group.rows})

    @property
    def rows(self) -> int:
        """Rows in the whole file."""
        return sum(group.rows for group in self.groups)

    def whole(self) -> Unit:
        """Return all rows as one unit, whatever their days."""
        file = self.file
        return Unit((Range(file.path, file.size, file.modified_us, None, 0, self.rows, version=self.version),))


class Range(msgspec.Struct, frozen=True):
    """Rows `start` to before `stop` of a file that had this size and time when the run was planned.

    `mark` is a row at or before `start` and the byte where that begins, in files of lines. `version` is that of a
    plug-in's part, which is identified by it and not by size and time.
    """

    path: str
    size: int
    modified_us: int
    day: str | None
    start: int
    stop: int
    mark: tuple[int, int] = (0, 0)
    version: str = ""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.stop - self.start


class Unit(msgspec.Struct, frozen=True):
    """A unit of work: what one worker reads, writes and answers for as a whole."""

    ranges: tuple[Range, ...]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(each.rows for each in self.ranges)

    def key(self, context: Mapping[str, Any]) -> str:
        """Return a name that changes when the unit or anything in `context` (window, lookups, source) does."""
        document = msgspec.json.encode([self.ranges, context], order="sorted")
        return hashlib.sha256(document).hexdigest()[:40]

    def halves(self) -> tuple[Unit, Unit]:
        """Return the unit cut in the middle of its rows."""
        middle, passed = self.rows // 2, 0
        first: list[Range] = []
        second: list[Range] = []
        for each in self.ranges:
            cut = min(max(middle - passed, 0), each.rows)
            passed += each.rows
            if cut:
                first.append(msgspec.structs.replace(each, stop=each.start + cut))
            if cut < each.rows:
                second.append(msgspec.structs.replace(each, start=each.start + cut))
        return Unit(tuple(first)), Unit(tuple(second))


@dataclass(frozen=True)
class SourcePlan:
    """The source as found: files in order, and what a person may want to know before they are read (`notes`).

    `version` is that of the table that names the files, None where they only lie there.
    """

    files: tuple[SourceFile, ...]
    notes: tuple[str, ...] = ()
    version: int | None = None

    def days(self) -> dict[str | None, int]:
        """Return each source day that has files with the time of its oldest one (microseconds since 1970 UTC).

        A day whose files hold no rows is there. The key is None when the source has no days.
        """
        oldest: dict[str | None, int] = {}
        for source in self.files:
            for day in source.days:
                oldest[day] = min(oldest.get(day, source.file.modified_us), source.file.modified_us)
        return oldest

    def units(self, unit_rows: int, days: frozenset[str] | None) -> list[Unit]:
        """Cut units of about `unit_rows` rows (a row group is never cut) over the given source days, or over all."""
        units: list[Unit] = []
        pending: list[Range] = []
        for each in self._ranges(days):
            if pending and sum(other.rows for other in pending) + each.rows > unit_rows:
                units.append(Unit(tuple(pending)))
                pending = []
            _append(pending, each)
        return [*units, Unit(tuple(pending))] if pending else units

    def _ranges(self, days: frozenset[str] | None) -> Iterator[Range]:
        for source in self.files:
            start, file = 0, source.file
            for group in source.groups:
                stop = start + group.rows
                if group.rows and (days is None or group.day in days):
                    yield Range(
                        file.path, file.size, file.modified_us, group.day, start, stop, group.mark, source.version
                    )
                start = stop


def _append(pending: list[Range], each: Range) -> None:
    last = pending[-1] if pending else None
    if last and (last.path, last.day, last.stop) == (each.path, each.day, each.start):
        pending[-1] = msgspec.structs.replace(last, stop=each.stop)
    else:
        pending.append(each)


def check_unchanged(storage: Storage, each: Range) -> None:
    """Prove that the file of a range is as it was when the run was planned.

    Raises:
        SourceError: it is not.
    """
    found = storage.stat(each.path)
    if found is None or (found.size, found.modified_us) != (each.size, each.modified_us):
        raise SourceError(
            f"{storage.uri}/{each.path}: the file changed while the run was on. Try: run again when it rests"
        )
