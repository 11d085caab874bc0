"""Sources of one's own as archives: every part is a file of one row group, identified by its version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa

from trivium.connectors.archive.columns import FileColumns, SourceColumns
from trivium.connectors.archive.listing import Listing
from trivium.connectors.archive.plain_columns import plain_rows
from trivium.connectors.archive.units import Range, RowGroup, SourceFile
from trivium.contract.source import BatchSource, SourcePart
from trivium.core.errors import SourceError, TriviumError
from trivium.delivery.storage.storage import StoredFile

_STEP_ROWS: Final = 4096
_MOST_TEXT: Final = 300


class PluginArchive:
    """The archive that a source of one's own reads. Whatever that raises or does wrong is an error with its name."""

    def __init__(self, source: BatchSource, uri: str, columns: SourceColumns) -> None:
        self._source, self._uri, self._columns = source, uri, columns
        self._parts: dict[str, SourcePart] = {}

    @property
    def uri(self) -> str:
        """The place of the archive."""
        return self._uri

    def listing(self) -> Listing:
        """Return its parts as files, sorted by name.

        Raises:
            SourceError: there are none, or the source breaks its contract.
        """
        with naming(self._uri, "listing its parts"):
            found = sorted(self._source.parts(), key=lambda part: part.name)
            self._parts = {part.name: part for part in found}
            for part in found:
                self._check(part)
        if len(self._parts) < len(found):
            raise SourceError(f"{self._uri}: expected parts of different names, got some name twice")
        if not found:
            raise SourceError(f"{self._uri}: expected parts with rows, found none. Try: check the source's settings")
        return Listing(tuple(StoredFile(part.name, part.size, _micros(part.modified)) for part in found))

    def describe(self, files: Sequence[StoredFile], day_column: str | None) -> list[SourceFile]:
        """Return what parts that were listed say of their rows, and of their days where `day_column` asks for them.

        Raises:
            SourceError: a part has rows and no day, or the source does not tell its columns.
        """
        with naming(self._uri, "its schema"):
            schema = self._source.schema
        return [self._described(file, schema, day_column) for file in files]

    def check_unchanged(self, each: Range) -> None:
        """Prove that a part is as it was when the run was planned.

        Raises:
            SourceError: it is not.
        """
        with naming(self._uri, f"the version of the part {each.path}"):
            version = self._source.version(each.path)
        if version != each.version:
            raise SourceError(
                f"{self._uri}: the part {each.path} changed while the run was on: expected version {each.version}, "
                f"got {version}. Try: run again when it rests"
            )

    def rows(self, each: Range) -> Iterator[tuple[int, pa.RecordBatch, FileColumns]]:
        """Read the rows of a range in order, each step with the place of its first row.

        Raises:
            SourceError: they cannot be read, are not as many or not of the columns that the source said, or changed.
        """
        place = f"rows {each.start} to {each.stop} of the part {each.path}"
        with naming(self._uri, place):
            schema = self._source.schema
            columns, first = self._columns.of(each.path, schema), each.start
            for rows in self._source.read(each.path, range(each.start, each.stop)):
                if not isinstance(rows, pa.RecordBatch) or not rows.schema.equals(schema):
                    got = rows.schema if isinstance(rows, pa.RecordBatch) else type(rows).__name__
                    raise SourceError(
                        f"{self._uri}, {place}: expected record batches of {_line(schema)}, got {_line(got)}"
                    )
                for low in range(0, rows.num_rows, _STEP_ROWS):
                    step = rows.slice(low, _STEP_ROWS).select(columns.own)
                    yield first + low, plain_rows(step), columns
                first += rows.num_rows
        if first != each.stop:
            raise SourceError(f"{self._uri}, {place}: expected {each.rows:,} rows, got {first - each.start:,}")
        self.check_unchanged(each)

    def _described(self, file: StoredFile, schema: pa.Schema, day_column: str | None) -> SourceFile:
        part = self._parts[file.path]
        with naming(self._uri, f"the day of the part {part.name}"):
            day = None if day_column is None or part.day is None else part.day.isoformat()
        if day_column is not None and day is None:
            raise SourceError(
                f"{self._uri}: expected a day of the part {part.name}, since batch.source.day_column is set, got none. "
                "Try: have the source give it, or leave out day_column"
            )
        return SourceFile(file, schema, (RowGroup(part.rows, day),), day, part.version)

    def _check(self, part: SourcePart) -> None:
        kinds = {"name": str, "rows": int, "version": str}
        wrong = [name for name, kind in kinds.items() if not isinstance(getattr(part, name), kind)]
        if wrong or not part.name or part.rows < 0:
            raise SourceError(f"{self._uri}: expected parts with a name, a version and a number of rows, got {part!r}")


@contextmanager
def naming(uri: str, what: str) -> Iterator[None]:
    """Name the source in whatever its code raises.

    Raises:
        SourceError: it raised something.
    """
    try:
        yield
    except TriviumError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:_MOST_TEXT]
        raise SourceError(f"{uri}, {what}: {said}") from error


def _micros(moment: datetime | None) -> int:
    """Return microseconds since 1970 UTC; 0 where nobody knows."""
    if moment is None:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def _line(schema: object) -> str:
    return ", ".join(f"{each.name} {each.type}" for each in schema) if isinstance(schema, pa.Schema) else str(schema)
