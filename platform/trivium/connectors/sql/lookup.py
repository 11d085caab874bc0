"""A lookup in a table, a view or a query of a database, of the facts now or of those valid at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from trivium.config.model.remote_lookups import SqlLookupSettings
from trivium.connectors.remote.columns import FactMisfit, typed_rows
from trivium.connectors.remote.trouble import Trouble
from trivium.connectors.sql.database import Database
from trivium.connectors.sql.dialect import PLACE, Dialect, fields_of, quoted, types_of
from trivium.connectors.sql.postgresql import PostgreSql
from trivium.connectors.sql.sqlite import Sqlite, read_whole
from trivium.contract.errors import LookupUnavailable
from trivium.contract.lookup import Answer, LookupRequest
from trivium.core.clock import Deadline
from trivium.types.rows import spec_of_arrow
from trivium.types.spec import UTC_MICROSECONDS, FieldSpec

_SAMPLE: Final = 20
_REPAIR: Final = "repair the rows, declare the column otherwise, or convert it in a query"


@dataclass(frozen=True)
class _Statements:
    """Queries of the declared columns that the rows have: by key, and by key and time."""

    by_key: str
    as_of: str | None


class SqlLookup:
    """Answers keys with rows of a database, in one statement a call."""

    def __init__(self, settings: SqlLookupSettings, request: LookupRequest) -> None:
        self._settings, self._request = settings, request
        self._trouble = Trouble(request.name, settings)
        self._dialect: Dialect = Sqlite(settings) if settings.path is not None else PostgreSql(settings)
        self._database = Database(self._dialect, self._trouble)
        self._statements: _Statements | None = None
        if request.as_of and settings.valid_from is None:
            raise self._trouble.wrong("expected valid_from, got none: an enrichment asks as of a time", "valid_from: …")

    def load(self) -> None:
        """Look at the columns. A database that is not there now may be later.

        Raises:
            LookupAnswerError: a table, a column or a right is missing, or a type does not fit.
        """
        try:
            self._known(self._patience())
        except LookupUnavailable:
            return

    def check(self) -> str:
        """Look at the columns, ask for some of the keys that the rows have, and return what was found.

        Raises:
            LookupUnavailable: the database is not there.
            LookupAnswerError: what is there cannot be read as declared.
        """
        deadline = self._patience()
        self._known(deadline)
        names = ", ".join(f"t.{quoted(name)}" for name in self._settings.columns)
        present = " AND ".join(f"t.{quoted(name)} IS NOT NULL" for name in self._settings.columns)
        query = f"SELECT DISTINCT {names} FROM {self._dialect.relation} AS t WHERE {present} LIMIT {_SAMPLE}"
        with self._database.cursor(deadline) as cursor:
            cursor.execute(query)
            held = cursor.fetch_arrow_table()
        if not held.num_rows:
            return "no rows"
        try:
            keys = self._keys_of(held)
        except FactMisfit as error:
            raise self._trouble.wrong(f"a key that is held: {error.reason}", _REPAIR) from error
        answer = self.fetch(keys, deadline)
        return f"{len(keys) - answer.index.null_count} of {len(keys)} keys read"

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys; where rows have a validity, with those that are valid now.

        Raises:
            LookupUnavailable: no answer within the deadline.
            LookupAnswerError: a row is none of the declared columns, or a key has several rows.
        """
        if self._settings.valid_from is None:
            return self._answer(self._known(deadline).by_key, keys, None, deadline)
        now = pa.array(np.full(len(keys), self._request.clock.now_us()), pa.int64()).cast(UTC_MICROSECONDS)
        return self.fetch_as_of(keys, now, deadline)

    def fetch_as_of(self, keys: pa.Array, times: pa.TimestampArray, deadline: Deadline) -> Answer:
        """Answer distinct pairs of a key and a time with the row that began last and is valid then.

        Raises:
            LookupUnavailable: no answer within the deadline.
            LookupAnswerError: a row is none of the declared columns, or two rows of a key begin at once.
        """
        statement = self._known(deadline).as_of
        if statement is None:
            raise self._trouble.wrong("expected valid_from, got none: facts as of a time", "valid_from: …")
        return self._answer(statement, keys, times, deadline)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def _answer(self, statement: str, keys: pa.Array, times: pa.TimestampArray | None, deadline: Deadline) -> Answer:
        # No database holds a NUL character in a text, and PostgreSQL refuses a query that does.
        askable = _without_nul(keys)
        places = np.flatnonzero(askable)
        chosen = pa.array(places)
        parameters = self._dialect.parameters(keys.take(chosen), None if times is None else times.take(chosen))
        with self._database.cursor(deadline) as cursor:
            if isinstance(self._dialect, Sqlite):
                read_whole(cursor)
            cursor.execute(statement, parameters)
            table = cursor.fetch_arrow_table()
        index = np.full(len(keys), -1, np.int32)
        rows = places[table.column(PLACE).to_numpy().astype(np.int64) - 1] if table.num_rows else np.empty(0, np.int64)
        self._refuse_several(keys, rows)
        index[rows] = np.arange(len(rows), dtype=np.int32)
        return Answer(self._rows(table, keys, rows), pa.array(index, mask=index < 0))

    def _rows(self, table: pa.Table, keys: pa.Array, rows: Any) -> pa.RecordBatch:
        specs = {spec.wire: spec for spec in self._request.fields}

        def column(name: str) -> pa.Array | None:
            if name not in table.column_names:
                return None
            return self._dialect.column(_whole(table.column(name)), specs[name])

        try:
            return typed_rows(column, table.num_rows, self._request.fields)
        except FactMisfit as error:
            at = f"the key {keys[int(rows[error.row])].as_py()!r}: " if len(rows) else ""
            raise self._trouble.wrong(f"{at}{error.reason}", _REPAIR) from error

    def _refuse_several(self, keys: pa.Array, rows: Any) -> None:
        if len(np.unique(rows)) == len(rows):
            return
        values, counts = np.unique(rows, return_counts=True)
        key = keys[int(values[counts > 1][0])].as_py()
        what = f"expected one row a key, got {int(counts.max())} for {str(key)[:80]!r}"
        raise self._trouble.wrong(what, "a condition (where), a query, or valid_from where rows follow one another")

    def _known(self, deadline: Deadline) -> _Statements:
        """Return the queries, after a look at the columns at the first call that reaches the database."""
        if self._statements is None:
            self._statements = self._looked_up(deadline)
        return self._statements

    def _looked_up(self, deadline: Deadline) -> _Statements:
        settings, key_type = self._settings, self._request.key_type
        with self._database.cursor(deadline) as cursor:
            cursor.execute(f"SELECT * FROM {self._dialect.relation} AS t LIMIT 0")
            schema = cursor.fetch_arrow_table().schema
            problems = [*self._missing(schema), *self._misfitting(schema)]
            if problems:
                listed = "; ".join(problems)
                raise self._trouble.wrong(f"it has the columns {', '.join(schema.names)[:200]}: {listed}", _REPAIR)
            columns = [spec.wire for spec in self._request.fields if spec.wire in schema.names]
            by_key = self._dialect.statement(columns, key_type, timed=False)
            timed = settings.valid_from is not None
            as_of = self._dialect.statement(columns, key_type, timed=True) if timed else None
            if timed and (problem := self._dialect.times_problem(cursor)):
                raise self._trouble.wrong(problem, "texts of one form in UTC, which compare as times do")
            none = pa.array([], key_type)
            cursor.execute(by_key, self._dialect.parameters(none, None))
            cursor.fetch_arrow_table()
        return _Statements(by_key, as_of)

    def _missing(self, schema: pa.Schema) -> list[str]:
        settings = self._settings
        needed = [*settings.columns, *filter(None, (settings.valid_from, settings.valid_to))]
        needed += [spec.wire for spec in self._request.fields if spec.required]
        return [f"column {name} is missing" for name in dict.fromkeys(needed) if name not in schema.names]

    def _misfitting(self, schema: pa.Schema) -> list[str]:
        found = []
        for name, key in zip(self._settings.columns, types_of(self._request.key_type), strict=True):
            if name in schema.names and (problem := self._dialect.key_problem(schema.field(name).type, key)):
                found.append(f"key column {name}: {problem}")
        for spec in self._request.fields:
            if spec.wire in schema.names:
                try:
                    empty = pa.nulls(0, schema.field(spec.wire).type)
                    typed_rows(lambda _, empty=empty, spec=spec: self._dialect.column(empty, spec), 0, [spec])  # type: ignore[misc]
                except FactMisfit as error:
                    found.append(error.reason)
        return found

    def _keys_of(self, held: pa.Table) -> pa.Array:
        """Return keys that the database holds in the type of the keys of enrichments."""
        types = types_of(self._request.key_type)
        specs = [
            FieldSpec(name, name, spec_of_arrow(each), True, False)
            for name, each in zip(held.column_names, types, strict=True)
        ]
        columns = {spec.wire: self._dialect.column(_whole(held.column(spec.wire)), spec) for spec in specs}
        rows = typed_rows(columns.get, held.num_rows, specs)
        if not pt.is_struct(self._request.key_type):
            return rows.column(0)
        return pa.StructArray.from_arrays(rows.columns, fields=list(self._request.key_type))

    def _patience(self) -> Deadline:
        return Deadline.after(self._request.clock, self._settings.timeout_seconds)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)


def _without_nul(keys: pa.Array) -> Any:
    mask = np.ones(len(keys), np.bool_)
    for field in fields_of(keys):
        if pt.is_string(field.type):
            mask &= ~pc.match_substring(field, "\0").to_numpy(zero_copy_only=False)
    return mask
