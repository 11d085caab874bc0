"""SQLite: keys are bound as one JSON text and joined; values have the few types that SQLite has."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from trivium.connectors.remote.columns import FactMisfit, text_column
from trivium.connectors.remote.trouble import optional
from trivium.connectors.sql.dialect import PLACE, Dialect, fields_of, quoted, types_of
from trivium.core.errors import SourceError
from trivium.types.spec import FieldSpec

_ROWS: Final = {"adbc.sqlite.query.batch_rows": str(1 << 20)}
"""Types of columns are inferred from the first rows, so all rows of an answer are the first ones."""
_PASSING: Final = ("locked", "busy", "disk I/O error", "unable to open", "out of memory", "interrupted")
_FORM: Final = re.compile(r"(\d{4}-\d\d-\d\d)([ T])(\d\d:\d\d:\d\d)(\.\d{6})?(Z?)", re.ASCII)
_EXACT: Final = 1 << 53


class Sqlite(Dialect):
    """A SQLite file that is only read."""

    _form = "%Y-%m-%d %H:%M:%S"
    """The form of the texts of its times, which compare as times do."""

    def connect(self, seconds: float) -> Any:
        """Return a connection to the file.

        Raises:
            SourceError: there is no such file.
        """
        dbapi, path = optional("adbc_driver_sqlite.dbapi", "sql"), str(self.settings.path)
        if not os.path.isfile(path):
            raise SourceError(f"expected a SQLite file, found none at {path}")
        return dbapi.connect(f"file:{quote(path)}?mode=ro", autocommit=True)

    def hold_to(self, seconds: float) -> str:
        """Return the setting of the longest wait for a lock; a statement itself cannot be interrupted."""
        return f"PRAGMA busy_timeout = {max(1, round(seconds * 1000))}"

    def statement(self, columns: Sequence[str], key_type: pa.DataType, *, timed: bool) -> str:
        """Return a join with the bound JSON; a tie of rows at one time gives both."""
        count = len(types_of(key_type))
        names = [f"k{at}" for at in range(count)]
        values = [*names, *["at"] * timed]
        each = ", ".join(f"json_extract(value, '$[{at}]') AS {name}" for at, name in enumerate(values))
        source = f"(SELECT key + 1 AS n, {each} FROM json_each(?)) AS q"
        selected = ", ".join([f"q.n AS {PLACE}", *(f"t.{quoted(name)} AS {quoted(name)}" for name in columns)])
        joined = f"FROM {source} JOIN {self.relation} AS t ON {self.keys_equal(names)}"
        if not timed:
            return f"SELECT {selected} {joined}"
        begin = f"t.{quoted(self.settings.valid_from or '')}"
        if self.settings.table is not None:
            # An index finds the newest row at once; joined to all of its earlier ones a key costs its whole history.
            valid = f"{self.keys_equal(names)} AND {self.validity('q.at')}"
            newest = f"SELECT {begin} FROM {self.relation} AS t WHERE {valid} ORDER BY {begin} DESC LIMIT 1"
            return f"SELECT {selected} {joined} AND {begin} = ({newest}) AND {self.validity('q.at')}"
        newest = f"rank() OVER (PARTITION BY q.n ORDER BY {begin} DESC)"
        ranked = f"SELECT {selected}, {newest} AS trivium_rank {joined} AND {self.validity('q.at')}"
        outer = ", ".join([PLACE, *map(quoted, columns)])
        return f"SELECT {outer} FROM ({ranked}) WHERE trivium_rank = 1"

    def parameters(self, keys: pa.Array, times: pa.TimestampArray | None) -> pa.RecordBatch:
        """Return one row with the keys, each as a list, as JSON."""
        columns = [[_plain(value) for value in column.to_pylist()] for column in fields_of(keys)]
        if times is not None:
            columns.append([value.strftime(self._form) for value in times.to_pylist()])
        text = json.dumps(list(zip(*columns, strict=True)), ensure_ascii=False)
        return pa.RecordBatch.from_arrays([pa.array([text], pa.string())], names=["0"])

    def column(self, column: pa.Array, spec: FieldSpec) -> pa.Array:
        """Return a column of ints, doubles or texts in the form in which the declared type is read."""
        arrow = spec.type.arrow
        if column.null_count == len(column):
            return pa.nulls(len(column), arrow)
        if pt.is_string(column.type) and not pt.is_string(arrow):
            return text_column(column.to_pylist(), spec)
        if pt.is_integer(column.type) and pt.is_boolean(arrow):
            return _checked(column, spec, lambda value: value in (0, 1), "expected 0 or 1").cast(pa.bool_())
        if pt.is_integer(column.type) and pt.is_floating(arrow):
            return _checked(column, spec, lambda value: abs(value) <= _EXACT, "no double holds it").cast(pa.float64())
        if pt.is_decimal(arrow):
            # SQLite stores 12.50 as the double nearest to it, whose shortest text is what was written.
            return text_column([None if value is None else repr(value) for value in column.to_pylist()], spec)
        return column

    def key_problem(self, held: pa.DataType, key: pa.DataType) -> str | None:
        """Return nothing: a column of SQLite holds values of any type."""
        return None

    def times_problem(self, cursor: Any) -> str | None:
        """Return that times are not all texts of one form in UTC; learn the form."""
        for name in filter(None, (self.settings.valid_from, self.settings.valid_to)):
            column = f"t.{quoted(name)}"
            cursor.execute(f"SELECT {column} FROM {self.relation} AS t WHERE {column} IS NOT NULL LIMIT 1")
            first = cursor.fetchone()
            if first is None:
                continue
            found = _FORM.fullmatch(first[0]) if isinstance(first[0], str) else None
            if found is None:
                return f"column {name}: expected times as 2026-03-01 08:30:00 in UTC, got {first[0]!r}"[:200]
            form = f"%Y-%m-%d{found[2]}%H:%M:%S{'.%f' if found[4] else ''}{found[5]}"
            if name == self.settings.valid_to and form != self._form:
                return f"columns {self.settings.valid_from} and {name}: expected times of one form, got two"
            self._form = form
            glob = re.sub(r"\d", "[0-9]", first[0])
            cursor.execute(f"SELECT {column} FROM {self.relation} AS t WHERE {column} NOT GLOB '{glob}' LIMIT 1")
            if other := cursor.fetchone():
                return f"column {name}: expected times of one form, got {first[0]!r} and {other[0]!r}"[:200]
        return None

    def passes(self, error: Exception) -> bool:
        """Tell it by the words of SQLite."""
        return any(words in str(error) for words in _PASSING)


def read_whole(cursor: Any) -> None:
    """Let a cursor infer the types of columns from all rows."""
    cursor.adbc_statement.set_options(**_ROWS)


def _checked(column: pa.Array, spec: FieldSpec, fits: Callable[[int], bool], reason: str) -> pa.Array:
    for row, value in enumerate(column.to_pylist()):
        if value is not None and not fits(value):
            raise FactMisfit(row, f"column {spec.wire}: {reason}, got {value}")
    return pc.cast(column, pa.int64())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S" + (".%f" if value.microsecond else ""))
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, str | int) else str(value)
