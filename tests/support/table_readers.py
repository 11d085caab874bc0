"""Readers of a Delta table that know nothing of trivium: each answers a predicate with the ids of the rows it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, reduce
from typing import Any, Final

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder

ID: Final = "event_id"


@dataclass(frozen=True)
class Predicate:
    """`column` (a path: fields inside structs follow) compared by `sign` with `value`; `in` takes a list."""

    column: tuple[str, ...]
    sign: str
    value: Any = None

    def holds(self, row: dict[str, Any]) -> bool:
        """Return the answer for a row in memory, as SQL gives it."""
        found = reduce(lambda inner, name: None if inner is None else inner[name], self.column, row)
        if self.sign in ("is null", "is not null"):
            return (found is None) == (self.sign == "is null")
        return found is not None and bool(_COMPARE[self.sign](found, self.value))

    def __str__(self) -> str:
        return f"{'.'.join(self.column)} {self.sign} {str(self.value)[:60]!r}"


def pyarrow_dataset(uri: str, predicate: Predicate) -> list[str]:
    field = pc.field(*predicate.column)
    rows = _table(uri).to_pyarrow_dataset().to_table(columns=[ID], filter=_expression(field, predicate))
    return rows[ID].to_pylist()


def pandas_filters(uri: str, predicate: Predicate) -> list[str] | None:
    """Return None for what its filters cannot say."""
    if len(predicate.column) > 1 or predicate.sign.startswith("is"):
        return None
    condition = (predicate.column[0], predicate.sign, predicate.value)
    return list(_table(uri).to_pandas(columns=[ID], filters=[condition])[ID])


def duckdb_dataset(uri: str, predicate: Predicate) -> list[str]:
    values = predicate.value if predicate.sign == "in" else [predicate.value]
    texts = [f"TIMESTAMPTZ '{value.isoformat()}'" if isinstance(value, datetime) else "?" for value in values]
    if texts[0] != "?" and predicate.sign == "in":  # it hands a list of times to Arrow through pytz
        equal = Predicate(predicate.column, "=")
        return _in_duckdb(uri, " OR ".join(_sql(equal, [text]) for text in texts), [])
    given = [value for value, text in zip(values, texts, strict=True) if text == "?"]
    return _in_duckdb(uri, _sql(predicate, texts), [] if predicate.sign.startswith("is") else given)


def polars_native(uri: str, predicate: Predicate) -> list[str]:
    return _polars(pl.scan_delta(_table(uri)), predicate)


def polars_pyarrow(uri: str, predicate: Predicate) -> list[str]:
    return _polars(pl.scan_delta(_table(uri), use_pyarrow=True), predicate)


def datafusion(uri: str, predicate: Predicate) -> list[str]:
    values = predicate.value if predicate.sign == "in" else [predicate.value]
    where = _sql(predicate, [_literal(value) for value in values])
    reader = _datafusion(uri).execute(f"SELECT {ID} FROM events WHERE {where}")
    return pa.table(reader.read_all())[ID].to_pylist()


READERS: Final[dict[str, Callable[[str, Predicate], list[str] | None]]] = {
    reader.__name__: reader
    for reader in (pyarrow_dataset, pandas_filters, duckdb_dataset, polars_native, polars_pyarrow, datafusion)
}


@cache
def _table(uri: str) -> DeltaTable:
    return DeltaTable(uri)


@cache
def _duckdb(uri: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("events", _table(uri).to_pyarrow_dataset())
    return connection


def _in_duckdb(uri: str, where: str, values: list[Any]) -> list[str]:
    return [row[0] for row in _duckdb(uri).execute(f"SELECT {ID} FROM events WHERE {where}", values).fetchall()]


@cache
def _datafusion(uri: str) -> QueryBuilder:
    return QueryBuilder().register("events", _table(uri))


_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "in": lambda left, right: left in right,
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}


def _expression(field: Any, predicate: Predicate) -> Any:
    if predicate.sign == "in":
        return field.isin(predicate.value)
    if predicate.sign.startswith("is"):
        return field.is_null() if predicate.sign == "is null" else field.is_valid()
    return _COMPARE[predicate.sign](field, predicate.value)


def _polars(frame: pl.LazyFrame, predicate: Predicate) -> list[str]:
    column = reduce(lambda inner, name: inner.struct.field(name), predicate.column[1:], pl.col(predicate.column[0]))
    if predicate.sign == "in":
        found = column.is_in(predicate.value)
    elif predicate.sign.startswith("is"):
        found = column.is_null() if predicate.sign == "is null" else column.is_not_null()
    else:
        found = _COMPARE[predicate.sign](column, predicate.value)
    return frame.filter(found).select(ID).collect()[ID].to_list()


def _sql(predicate: Predicate, values: list[str]) -> str:
    name = "".join([f'"{predicate.column[0]}"', *(f"['{field}']" for field in predicate.column[1:])])
    if predicate.sign.startswith("is"):
        return f"{name} {predicate.sign}"
    return f"{name} IN ({', '.join(values)})" if predicate.sign == "in" else f"{name} {predicate.sign} {values[0]}"


def _literal(value: Any) -> str:
    """Return a value as DataFusion reads it: its own literals know no microseconds and no long decimals."""
    if isinstance(value, datetime):
        return f"""arrow_cast('{value.isoformat()}', 'Timestamp(Microsecond, Some("UTC"))')"""
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, Decimal):
        return f"arrow_cast('{value:f}', 'Decimal128(38, {-value.as_tuple().exponent})')"
    if isinstance(value, float):
        return f"arrow_cast('{value!r}', 'Float64')"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return str(value) if isinstance(value, bool | int) else "'" + str(value).replace("'", "''") + "'"
