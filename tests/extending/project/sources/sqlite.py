"""Events from one table of a SQLite file that is only added to: a JSON document a row, a part a day."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from trivium import SourcePart, SourceRequest, SourceSettings


class SqliteSource:
    """Reads the documents of a day in the order in which they were added."""

    schema: pa.Schema = pa.schema([("body", pa.binary())])

    class Settings(SourceSettings):
        """The keys of this source in the pipeline file; `path` is resolved as every data path there."""

        path: str
        table: str

        @property
        def record_column(self) -> str:
            """The column of raw JSON records; without this, columns are the fields of events."""
            return "body"

    def __init__(self, settings: Settings, request: SourceRequest) -> None:
        """Take what the pipeline file says, and which columns are read."""
        self._settings = settings

    def parts(self) -> Iterator[SourcePart]:
        """Return each day with its number of rows; the newest row tells whether there are more now."""
        query = 'SELECT day, count(*), max(rowid), max(added) FROM "{table}" GROUP BY day'
        for day, rows, last, added in self._rows(query):
            modified = datetime.fromisoformat(added)
            yield SourcePart(name=day, rows=rows, version=str(last), day=date.fromisoformat(day), modified=modified)

    def version(self, name: str) -> str | None:
        """Return what `parts` would say of a day now."""
        last = next(self._rows('SELECT max(rowid) FROM "{table}" WHERE day = ?', name))[0]
        return None if last is None else str(last)

    def read(self, name: str, rows: range) -> Iterator[pa.RecordBatch]:
        """Yield these rows of a day, a thousand at a time."""
        query = 'SELECT body FROM "{table}" WHERE day = ? ORDER BY rowid LIMIT ? OFFSET ?'
        for start in range(rows.start, rows.stop, 1000):
            found = [body for (body,) in self._rows(query, name, min(1000, rows.stop - start), start)]
            yield pa.record_batch([pa.array(found, pa.binary())], schema=self.schema)

    def _rows(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self._settings.path}?mode=ro", uri=True)) as database:
            yield from database.execute(query.format(table=self._settings.table), values)
