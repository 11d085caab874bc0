"""Columns whose type can never fit are one problem at the start, not a reject a row."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import pyarrow as pa
import pytest

from tests.support.engine_inputs import NO_DEFAULT, Probe
from trivium import Float32, Int8, Precision, Row
from trivium.engine.decoding.typed_columns import columns_read, schema_problems


class Place(Row):
    name: str


REFUSED: dict[str, tuple[Any, pa.DataType, str]] = {
    "float for an int": (int, pa.float64(), "expected int64, got double"),
    "decimal for an int": (int, pa.decimal128(5, 0), "expected int64"),
    "bool for an int": (Int8, pa.bool_(), "expected int8, got bool"),
    "int for a bool": (bool, pa.int8(), "expected bool"),
    "int for a str": (str, pa.int64(), "expected string"),
    "bytes for a str": (str, pa.binary(), "expected string"),
    "str for a float": (Float32, pa.string(), "expected float"),
    "str for a time": (datetime, pa.string(), "expected timestamp[us, tz=UTC], got string"),
    "date for a time": (datetime, pa.date32(), "expected timestamp"),
    "int for a time": (datetime, pa.int64(), "expected timestamp"),
    "naive time": (datetime, pa.timestamp("us"), "set source.timezone"),
    "time for a date": (date, pa.timestamp("us", "UTC"), "expected date32"),
    "float for a decimal": (Annotated[Decimal, Precision(5, 2)], pa.float64(), "expected decimal128"),
    "str for bytes": (bytes, pa.string(), "expected binary"),
    "dictionary of int for a str": (str, pa.dictionary(pa.int8(), pa.int64()), "expected string, got int64"),
    "list of str for ints": (tuple[int, ...], pa.list_(pa.string()), "expected int64, got string"),
    "naive times in a list": (tuple[datetime, ...], pa.list_(pa.timestamp("us")), "set source.timezone"),
    "scalar for a list": (tuple[int, ...], pa.int64(), "expected list"),
    "scalar for a row": (Place, pa.string(), "expected struct"),
    "row without a field": (Place, pa.struct([("other", pa.string())]), "field name is missing"),
    "row with another type": (Place, pa.struct([("name", pa.int64())]), "name: expected string, got int64"),
}


def problems(annotation: Any, arrow: pa.DataType, default: Any = NO_DEFAULT, timezone: str | None = None) -> list[str]:
    declarations = {"given": Probe(annotation, default).rows.declaration}
    schema = pa.schema([("event_type", pa.string()), ("value", arrow)])
    return schema_problems(schema, declarations, "event_type", timezone)


@pytest.mark.parametrize("name", REFUSED)
def test_one_problem_that_names_the_column(name: str) -> None:
    annotation, arrow, said = REFUSED[name]
    (problem,) = problems(annotation, arrow)
    assert problem.startswith("column value (given.value): ")
    assert said in problem


ACCEPTED = {
    "narrow int": (int, pa.int8()),
    "unsigned int": (Int8, pa.uint64()),
    "int for a float": (float, pa.int64()),
    "float32": (float, pa.float32()),
    "float16": (float, pa.float16()),
    "large string": (str, pa.large_string()),
    "dictionary": (str, pa.dictionary(pa.int32(), pa.large_string())),
    "seconds": (datetime, pa.timestamp("s", "UTC")),
    "null": (int, pa.null()),
    "date64": (date, pa.date64()),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_no_problem(name: str) -> None:
    assert problems(*ACCEPTED[name]) == []


def test_a_declared_zone_settles_naive_times() -> None:
    assert problems(datetime, pa.timestamp("us"), timezone="Europe/Zurich") == []


def test_a_missing_column_is_a_problem_where_it_is_required() -> None:
    schema = pa.schema([("event_type", pa.string())])
    required, optional = Probe(int).rows.declaration, Probe(int | None, None).rows.declaration
    assert schema_problems(schema, {"given": optional}, "event_type", None) == []
    (problem,) = schema_problems(schema, {"given": required}, "event_type", None)
    assert problem == "column value (given.value): it is required and missing"


@pytest.mark.parametrize(("arrow", "said"), [(None, "it is missing"), (pa.int64(), "got int64")])
def test_the_routed_column(arrow: pa.DataType | None, said: str) -> None:
    schema = pa.schema([("value", pa.int64()), *([] if arrow is None else [("kind", arrow)])])
    (problem,) = schema_problems(schema, {"given": Probe(int).rows.declaration}, "kind", None)
    assert problem.startswith("column kind: ")
    assert said in problem


def test_every_bad_column_is_named_at_once() -> None:
    schema = pa.schema([("event_type", pa.int64()), ("value", pa.float64())])
    assert len(schema_problems(schema, {"given": Probe(int).rows.declaration}, "event_type", None)) == 2


def test_only_declared_columns_are_read() -> None:
    assert columns_read({"given": Probe(int, wire="v").rows.declaration}, "kind") == ["kind", "v"]
