"""Facts from one table of a SQLite file."""

import sqlite3

import pyarrow as pa

from trivium import Answer, Deadline, LookupRequest, LookupSettings, LookupUnavailable


class SqliteLookup:
    """Answers keys with rows of a table, one query a call."""

    class Settings(LookupSettings):
        """The keys of this lookup in the pipeline file; `path` is resolved as every data path there."""

        path: str
        table: str
        key: str

    def __init__(self, settings: Settings, request: LookupRequest) -> None:
        """Take what the pipeline file says, and which columns and keys the enrichments ask for."""
        self._settings, self._schema = settings, request.schema
        names = ", ".join(f'"{name}"' for name in [settings.key, *self._schema.names])
        self._query = f'SELECT {names} FROM "{settings.table}" WHERE "{settings.key}" IN (%s)'

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys; those the table does not have are null in the answer's index."""
        asked = keys.to_pylist()
        try:
            with sqlite3.connect(
                f"file:{self._settings.path}?mode=ro", uri=True, timeout=deadline.remaining()
            ) as database:
                rows = database.execute(self._query % ", ".join("?" * len(asked)), asked).fetchall()
        except sqlite3.OperationalError as error:
            raise LookupUnavailable(f"{self._settings.path}: {error}") from error
        places = {row[0]: place for place, row in enumerate(rows)}
        columns = zip(*(row[1:] for row in rows), strict=True) if rows else [()] * len(self._schema)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        found = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        return Answer(found, pa.array([places.get(key) for key in asked], pa.int32()))
