"""Nested rows and tuples, from JSON and columns: inner nulls, limits, names and types."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pyarrow as pa
import pytest
from msgspec import Meta

from tests.support.engine_inputs import NO_DEFAULT, Kept, Outcome, Probe, Rejected, json_of, texts, typed
from trivium import Float32, Int8, Precision, Row

NO = Rejected()
SHORT = pa.list_(pa.int64())


class Colour(enum.Enum):
    RED = "red"


class Place(Row):
    name: str
    level: Int8 | None = None
    seen: datetime | None = None
    price: Annotated[Decimal, Precision(5, 2)] | None = None
    colour: Colour | None = None
    ratio: Float32 = 0.1
    day: date | None = msgspec.field(name="on-day", default=None)


class Trip(Row):
    stops: tuple[Place, ...]
    start: Place | None = None


def place(**given: Any) -> dict[str, Any]:
    empty = {"level": None, "seen": None, "price": None, "colour": None, "ratio": 0.10000000149011612, "day": None}
    return {"name": "A", **empty, **given}


WIRE = pa.struct([("name", pa.string()), ("level", pa.int64()), ("on-day", pa.date32()), ("ratio", pa.float64())])
PLACE = pa.struct([("seen", pa.timestamp("ns", "UTC")), ("price", pa.decimal128(9, 4)), ("name", pa.large_string())])
COLOURED = pa.struct([("name", pa.string()), ("colour", pa.dictionary(pa.int8(), pa.string()))])

CASES: dict[str, tuple[Any, str, pa.Array | None, Outcome]] = {
    "tuple": (tuple[int, ...], "[1,2]", pa.array([[1, 2]]), Kept([1, 2])),
    "tuple empty": (tuple[int, ...], "[]", pa.array([[]], SHORT), Kept([])),
    "tuple large list": (tuple[int, ...], "[1]", pa.array([[1]], pa.large_list(pa.int8())), Kept([1])),
    "tuple fixed list": (tuple[float, ...], "[1,2]", pa.array([[1, 2]], pa.list_(pa.float32(), 2)), Kept([1.0, 2.0])),
    "tuple null": (tuple[int, ...], "null", pa.array([None], SHORT), NO),
    "optional tuple null": (tuple[int, ...] | None, "null", pa.array([None], SHORT), Kept(None)),
    "inner null": (tuple[int, ...], "[1,null]", pa.array([[1, None]]), NO),
    "inner null allowed": (tuple[int | None, ...], "[1,null]", pa.array([[1, None]]), Kept([1, None])),
    "inner limit": (tuple[Annotated[int, Meta(ge=0)], ...], "[1,-1]", pa.array([[1, -1]]), NO),
    "inner width": (tuple[Int8, ...], "[128]", pa.array([[128]]), NO),
    "inner NaN": (tuple[Float32, ...], "[NaN]", pa.array([[float("nan")]]), NO),
    "inner overflow": (tuple[Float32, ...], "[1e39]", pa.array([[1e39]]), NO),
    "inner rounding": (tuple[Float32, ...], "[0.1]", pa.array([[0.1]]), Kept([0.10000000149011612])),
    "inner decimal": (
        tuple[Annotated[Decimal, Precision(5, 2)], ...],
        "[1.5]",
        pa.array([[Decimal("1.5")]], pa.list_(pa.decimal128(5, 1))),
        Kept([Decimal("1.50")]),
    ),
    "inner enum": (tuple[Colour, ...], '["red"]', pa.array([["red"]]), Kept(["red"])),
    "inner enum unknown": (tuple[Colour, ...], '["blue"]', pa.array([["blue"]]), NO),
    "inner type": (tuple[int, ...], '["1"]', None, NO),
    "min_length": (Annotated[tuple[int, ...], Meta(min_length=2)], "[1]", pa.array([[1]]), NO),
    "max_length": (Annotated[tuple[int, ...], Meta(max_length=1)], "[1,2]", pa.array([[1, 2]]), NO),
    "tuple of tuples": (tuple[tuple[int, ...], ...], "[[1],[]]", pa.array([[[1], []]]), Kept([[1], []])),
    "object for a tuple": (tuple[int, ...], "{}", None, NO),
    "row": (
        Place,
        '{"name":"A","level":3,"on-day":"2024-02-29","ratio":0.1}',
        pa.array([{"name": "A", "level": 3, "on-day": date(2024, 2, 29), "ratio": 0.1}], WIRE),
        Kept(place(level=3, day=date(2024, 2, 29))),
    ),
    "row, only what it must have": (Place, '{"name":"A"}', pa.array([{"name": "A"}]), Kept(place())),
    "row under its Python name": (Place, '{"name":"A","day":"2024-02-29"}', None, Kept(place())),
    "row with undeclared fields": (Place, '{"name":"A","x":1}', pa.array([{"name": "A", "x": 1}]), Kept(place())),
    "row null": (Place, "null", pa.array([None], WIRE), NO),
    "optional row null": (Place | None, "null", pa.array([None], WIRE), Kept(None)),
    "row, required inner null": (Place, '{"name":null}', pa.array([{"name": None}], WIRE), NO),
    "row, inner width": (Place, '{"name":"A","level":128}', pa.array([{"name": "A", "level": 128}], WIRE), NO),
    "row, inner enum": (
        Place,
        '{"name":"A","colour":"red"}',
        pa.array([{"name": "A", "colour": "red"}]).cast(COLOURED),
        Kept(place(colour="red")),
    ),
    "row, inner enum unknown": (
        Place,
        '{"name":"A","colour":"blue"}',
        pa.array([{"name": "A", "colour": "blue"}]).cast(COLOURED),
        NO,
    ),
    "row, inner time and decimal": (
        Place,
        '{"name":"A","seen":"2024-01-01T01:00:00+01:00","price":1.5}',
        pa.array([{"name": "A", "seen": datetime(2024, 1, 1, tzinfo=UTC), "price": Decimal("1.5")}], PLACE),
        Kept(place(seen=datetime(2024, 1, 1, tzinfo=UTC), price=Decimal("1.50"))),
    ),
    "row, inner naive time": (Place, '{"name":"A","seen":"2024-01-01T01:00:00"}', None, NO),
    "row, inner fine digits": (Place, '{"name":"A","seen":"2024-01-01T01:00:00.1234567Z"}', None, NO),
    "row, inner decimal too fine": (
        Place,
        '{"name":"A","price":1.005}',
        pa.array([{"name": "A", "price": Decimal("1.005")}], PLACE),
        NO,
    ),
    "rows in a row": (
        Trip,
        '{"stops":[{"name":"A"}],"start":null}',
        pa.array([{"stops": [{"name": "A"}], "start": None}]),
        Kept({"stops": [place()], "start": None}),
    ),
    "rows in a row, a bad one": (
        Trip,
        '{"stops":[{"name":"A"},{}]}',
        pa.array([{"stops": [{"name": "A"}, {"name": None}]}]),
        NO,
    ),
    "rows in a row, null": (Trip, '{"stops":[null]}', pa.array([{"stops": [{"name": "A"}, None]}]), NO),
}


def probe(annotation: Any, name: str) -> Probe:
    return Probe(annotation, None if "optional" in name else NO_DEFAULT)


@pytest.mark.parametrize("name", CASES)
def test_raw_and_typed_agree(name: str) -> None:
    annotation, text, column, expected = CASES[name]
    for batch in [json_of(text), *([] if column is None else [typed(column)])]:
        (outcome,) = probe(annotation, name).run(batch)
        assert isinstance(outcome, type(expected))
        assert isinstance(expected, Rejected) or outcome == expected


@pytest.mark.parametrize(
    "name", [name for name, (_, _, column, end) in CASES.items() if column and isinstance(end, Kept)]
)
def test_an_executor_sees_the_same_at_both_doors(name: str) -> None:
    annotation, text, column, _ = CASES[name]
    worker = probe(annotation, name).workers()["Rows"]
    assert texts(worker, json_of(text)) == texts(worker, typed(column))


def test_a_default_of_rows() -> None:
    default = Place(name="B", price=Decimal("1.5"), colour=Colour.RED, day=date(2024, 2, 29))
    given = Probe(Place, default)
    expected = [Kept(place(name="B", price=Decimal("1.50"), colour="red", day=date(2024, 2, 29)))]
    null = typed(pa.nulls(1, WIRE))
    assert given.run(json_of("1", wire="other")) == given.run(null) == expected


def test_a_bad_inner_value_leaves_its_neighbours_alone() -> None:
    column = pa.array([[1], [1, None], None, [], [300], [2]], pa.list_(pa.int16()))
    assert Probe(tuple[Int8, ...] | None, None).run(typed(column)) == [
        Kept([1]),
        NO,
        Kept(None),
        Kept([]),
        NO,
        Kept([2]),
    ]
    rows = pa.array([{"name": "A"}, {"name": None}, None, {"name": "A", "level": 999}], WIRE).slice(1)
    assert Probe(Place | None, None).run(typed(rows)) == [NO, Kept(None), NO]
