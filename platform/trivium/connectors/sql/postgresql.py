"""PostgreSQL: keys are bound as arrays and joined, which one index search a key answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.types as pt

from trivium.connectors.remote.columns import text_column
from trivium.connectors.remote.trouble import optional
from trivium.connectors.sql.dialect import PLACE, Dialect, fields_of, quoted, types_of
from trivium.core.errors import SourceError
from trivium.types.spec import FieldSpec

_PASSING: Final = ("08", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that pass: connections, serialization, resources, locks, interventions, the system's trouble."""
_LASTING: Final = (
    *("authentication failed", "no password supplied", "does not exist", "permission denied", "no pg_hba.conf entry"),
    *(
        "is not permitted to log in",
        "invalid URI",
        "in URI",
        "invalid connection option",
        "invalid percent-encoded",
        "certificate verify failed",
    ),
)
"""What a refused connection says, which has no SQLSTATE."""
_SESSION: Final = ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET TimeZone = 'UTC'")
_SILENCE: Final = {"keepalives_idle": "20", "keepalives_interval": "10", "keepalives_count": "3"}
"""How soon a server that went without a word is noticed: a call that waits for it has nothing else to end it."""
_TYPES: Final[tuple[tuple[Callable[[pa.DataType], bool], str, str], ...]] = (
    (pt.is_string, "text", "text"),
    (pt.is_int64, "int8", "number"),
    (pt.is_int32, "int4", "number"),
    (pt.is_integer, "int2", "number"),
    (pt.is_boolean, "bool", "bool"),
    (pt.is_date, "date", "time"),
    (pt.is_timestamp, "timestamptz", "time"),
    (pt.is_decimal, "numeric", "number"),
)


class PostgreSql(Dialect):
    """A PostgreSQL that a URI names."""

    def connect(self, seconds: float) -> Any:
        """Return a connection whose session only reads and whose times are in UTC.

        Raises:
            SourceError: the URI cannot be read.
        """
        dbapi = optional("adbc_driver_postgresql.dbapi", "sql")
        connection = dbapi.connect(self._uri(seconds), autocommit=True)
        with connection.cursor() as cursor:
            for statement in _SESSION:
                cursor.execute(statement)
        return connection

    def hold_to(self, seconds: float) -> str:
        """Return the setting of the server's own time-out."""
        return f"SET statement_timeout = {max(1, round(seconds * 1000))}"

    def statement(self, columns: Sequence[str], key_type: pa.DataType, *, timed: bool) -> str:
        """Return a join with the bound arrays; a tie of rows at one time gives both."""
        names = [f"k{at}" for at in range(len(types_of(key_type)))]
        arrays = [f"{_name(each)}[]" for each in types_of(key_type)] + ["timestamptz[]"] * timed
        bound = ", ".join(f"${at}::{array}" for at, array in enumerate(arrays, 1))
        source = f"unnest({bound}) WITH ORDINALITY AS q({', '.join([*names, *['at'] * timed, 'n'])})"
        selected = ", ".join([f"q.n AS {PLACE}", *(f"t.{quoted(name)}" for name in columns)])
        if not timed:
            return f"SELECT {selected} FROM {source} JOIN {self.relation} AS t ON {self.keys_equal(names)}"
        newest = (
            f"SELECT * FROM {self.relation} AS t WHERE {self.keys_equal(names)} AND {self.validity('q.at')} "
            f"ORDER BY t.{quoted(self.settings.valid_from or '')} DESC FETCH FIRST 1 ROW WITH TIES"
        )
        return f"SELECT {selected} FROM {source} CROSS JOIN LATERAL ({newest}) AS t"

    def parameters(self, keys: pa.Array, times: pa.TimestampArray | None) -> pa.RecordBatch:
        """Return one row of arrays."""
        columns = [*fields_of(keys), *([] if times is None else [times])]
        offsets = pa.array([0, len(keys)], pa.int32())
        arrays = [pa.ListArray.from_arrays(offsets, column) for column in columns]
        return pa.RecordBatch.from_arrays(arrays, names=[str(at) for at in range(len(arrays))])

    def column(self, column: pa.Array, spec: FieldSpec) -> pa.Array:
        """Return a column; numeric arrives as text, and so do types that Arrow does not have."""
        if isinstance(column, pa.ExtensionArray) and pt.is_string(column.storage.type):
            column = column.storage
        if pt.is_string(column.type) and not pt.is_string(spec.type.arrow):
            return text_column(column.to_pylist(), spec)
        return column

    def key_problem(self, held: pa.DataType, key: pa.DataType) -> str | None:
        """Return that texts, numbers, bools and times are compared with their like only."""
        own = next((family for matches, _, family in _TYPES if matches(held)), None)
        key_family = next(family for matches, _, family in _TYPES if matches(key))
        if isinstance(held, pa.BaseExtensionType) and "numeric" in str(held):
            own = "number"
        return None if own == key_family else f"it is {held}, and the keys are {key}"

    def passes(self, error: Exception) -> bool:
        """Tell it by the SQLSTATE, or by what a refused connection says."""
        state = getattr(error, "sqlstate", None)
        if state:
            return str(state)[:2] in _PASSING and state != "57P04"
        return not any(words in str(error) for words in _LASTING)

    def _uri(self, seconds: float) -> str:
        settings = self.settings
        uri = settings.uri.get_secret_value() if settings.uri else ""
        try:
            parts = urlsplit(uri)
        except ValueError as error:
            raise SourceError("expected a uri that begins with postgresql://, got one that cannot be read") from error
        waits = {"connect_timeout": str(max(2, math.ceil(seconds))), "application_name": "trivium", **_SILENCE}
        query = urlencode({**waits, **dict(parse_qsl(parts.query))}, quote_via=quote)
        user, _, address = parts.netloc.rpartition("@")
        if settings.password is not None:
            user = f"{user.partition(':')[0]}:{quote(settings.password.get_secret_value(), safe='')}"
        return urlunsplit(parts._replace(netloc=f"{user}@{address}" if user else address, query=query))


def _name(key: pa.DataType) -> str:
    return next(name for matches, name, _ in _TYPES if matches(key))
