"""A file's statistics: true of every value, exact where they may be, and silent where no bound can be written."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.delivery.files.statistics import LONGEST_TEXT, FileStatistics, described_columns

_TIME = pa.timestamp("us", "UTC")


def _statistics(*parts: pa.Table) -> dict[str, Any]:
    statistics = FileStatistics(parts[0].schema)
    for part in parts:
        statistics.add(part)
    document: dict[str, Any] = json.loads(statistics.encode(), parse_float=Decimal)
    return document


def _column(kind: pa.DataType, *values: Any) -> pa.Table:
    return pa.table({"x": pa.array(list(values), kind)})


@pytest.mark.parametrize(
    ("kind", "values", "bounds"),
    [
        (pa.bool_(), [True, None, False], (False, True)),
        (pa.int8(), [3, -128], (-128, 3)),
        (pa.int64(), [2**63 - 1, -(2**63)], (-(2**63), 2**63 - 1)),
        (pa.float64(), [2.5, None, -1e300], (Decimal("-1e300"), Decimal("2.5"))),
        (pa.float32(), [0.5], (Decimal("0.5"), Decimal("0.5"))),
        (pa.decimal128(5, 2), [Decimal("0.10"), Decimal("-999.99")], (Decimal("-999.99"), Decimal("0.10"))),
        (pa.decimal128(38, 10), [Decimal("0E-10")], (Decimal("0E-10"), Decimal("0E-10"))),
        (pa.string(), ["b", "", "z" * 32], ("", "z" * 32)),
        (pa.string(), ["a" * 33, "z" * 33], ("a" * 32, "z" * 31 + "{")),
        (pa.string(), ["\U0010ffff" * 31 + "ab"], ("\U0010ffff" * 31 + "a", "\U0010ffff" * 31 + "b")),
        (pa.string(), ["a" * 31 + "\U0010ffff" * 2], ("a" * 31 + "\U0010ffff", "a" * 30 + "b")),
        (pa.string(), ["a" * 31 + "\ud7ff" * 2], ("a" * 31 + "\ud7ff", "a" * 31 + "\ue000")),
        (pa.string(), ["x" * 9000], ("x" * 32, "x" * 31 + "y")),
        (pa.date32(), [date(999, 5, 5), date(9999, 12, 31)], ("0999-05-05", "9999-12-31")),
        (_TIME, [datetime(1, 1, 1, tzinfo=UTC), None], ("0001-01-01T00:00:00.000000Z",) * 2),
        (_TIME, [datetime(2026, 1, 1, 1, 2, 3, 4, tzinfo=UTC)], ("2026-01-01T01:02:03.000004Z",) * 2),
    ],
)
def test_bounds_of_a_column(kind: pa.DataType, values: list[Any], bounds: tuple[Any, Any]):
    found = _statistics(_column(kind, *values))
    assert found == {
        "numRecords": len(values),
        "minValues": {"x": bounds[0]},
        "maxValues": {"x": bounds[1]},
        "nullCount": {"x": values.count(None)},
    }


def test_zeros_of_both_signs_are_within_the_bounds():
    statistics = FileStatistics(_column(pa.float64()).schema)
    statistics.add(_column(pa.float64(), 0.0, -0.0))
    assert '"minValues":{"x":-0.0},"maxValues":{"x":0.0}' in statistics.encode()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.float64(), float("nan")),
        (pa.float32(), float("inf")),
        (pa.float64(), float("-inf")),
        (pa.string(), "\U0010ffff" * 33),
        (_TIME, pa.scalar(2**62, pa.int64()).cast(_TIME)),
        (_TIME, pa.scalar(-(2**62), pa.int64()).cast(_TIME)),
        (pa.date32(), pa.scalar(-(2**30), pa.int32()).cast(pa.date32())),
    ],
)
@pytest.mark.parametrize("part", [0, 1])
def test_a_value_without_a_bound_leaves_the_file_its_number_of_rows(kind: pa.DataType, value: Any, part: int):
    tables = [pa.table({"n": [1], "x": pa.array([None], kind)}), pa.table({"n": [2], "x": pa.array([value], kind)})]
    assert _statistics(tables[part], tables[1 - part]) == {"numRecords": 2}


def test_nulls_alone_have_a_count_and_no_bounds():
    found = _statistics(pa.table({"n": [1, 2], "x": pa.nulls(2, pa.string())}))
    assert found["minValues"] == {"n": 1}
    assert found["nullCount"] == {"n": 0, "x": 2}


def test_structs_are_described_field_by_field_if_all_their_fields_can_be():
    place = pa.struct([("city", pa.string()), ("point", pa.struct([("lat", pa.float64()), ("open", pa.bool_())]))])
    rows = [{"city": "Bern", "point": {"lat": 46.5, "open": True}}, None, {"city": "Biel", "point": None}]
    found = _statistics(pa.table({"place": pa.array(rows, place), "raw": [b"x", None, b""], "tags": [[1], None, []]}))
    assert found == {
        "numRecords": 3,
        "minValues": {"place": {"city": "Bern", "point": {"lat": Decimal("46.5"), "open": True}}},
        "maxValues": {"place": {"city": "Biel", "point": {"lat": Decimal("46.5"), "open": True}}},
        "nullCount": {"place": {"city": 1, "point": {"lat": 2, "open": 2}}},
    }


@pytest.mark.parametrize("beside", [pa.binary(), pa.list_(pa.int8()), pa.struct([("raw", pa.binary())])])
def test_a_struct_with_a_field_that_has_no_bounds_is_not_described(beside: pa.DataType):
    kind = pa.struct([("city", pa.string()), ("beside", beside)])
    found = _statistics(pa.table({"n": [1], "place": pa.array([{"city": "Bern", "beside": None}], kind)}))
    assert found == {"numRecords": 1, "minValues": {"n": 1}, "maxValues": {"n": 1}, "nullCount": {"n": 0}}


def test_a_struct_of_nulls_has_empty_bounds():
    kind = pa.struct([("city", pa.string()), ("point", pa.struct([("lat", pa.float64())]))])
    found = _statistics(pa.table({"place": pa.array([None], kind)}))
    assert found["minValues"] == found["maxValues"] == {"place": {"point": {}}}
    assert found["nullCount"] == {"place": {"city": 1, "point": {"lat": 1}}}


def test_described_columns_are_listed_and_of_other_structs_their_fields():
    point = pa.struct([("lat", pa.float64())])
    place = pa.struct([("raw", pa.binary()), ("point", point), ("tags", pa.list_(point))])
    columns = {"day": pa.date32(), "n": pa.int64(), "raw": pa.binary(), "tags": pa.list_(place), "point": point}
    schema = pa.schema([*columns.items(), ("place", place), ("größe", pa.int64())])
    assert described_columns(schema, ["day"]) == "n,point,place.raw,place.point.lat,place.tags,`größe`"


def test_a_dictionary_s_unused_values_count_for_nothing():
    column = pa.array(["a", "b", "c", "b"]).dictionary_encode().slice(1, 1)
    found = _statistics(pa.table({"x": column}), pa.table({"x": column}))
    assert (found["minValues"], found["maxValues"]) == ({"x": "b"}, {"x": "b"})


def test_partition_columns_are_left_out_and_no_rows_have_no_bounds():
    statistics = FileStatistics(pa.table({"day": ["x"], "n": [1]}).schema, leave_out=["day"])
    assert json.loads(statistics.encode()) == {"numRecords": 0}
    statistics.add(pa.table({"day": ["x"], "n": [1]}))
    assert json.loads(statistics.encode())["maxValues"] == {"n": 1}


@given(texts=st.lists(st.lists(st.text(max_size=3 * LONGEST_TEXT), min_size=1, max_size=4), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_text_lies_between_its_bounds(texts: list[list[str]]):
    found = _statistics(*(_column(pa.string(), *part) for part in texts))
    if "minValues" not in found:
        assert any(text.startswith("\U0010ffff" * LONGEST_TEXT) for part in texts for text in part)
        return
    low, high = found["minValues"]["x"], found["maxValues"]["x"]
    together = sorted(text for part in texts for text in part)
    assert low <= together[0]
    assert together[-1] <= high
    assert max(len(low), len(high)) <= LONGEST_TEXT
    assert [text for text in (together[0], together[-1]) if len(text) <= LONGEST_TEXT and text not in (low, high)] == []
