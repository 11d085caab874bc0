"""Filters find through every reader the rows they find in memory: all types, fresh, maintained, checkpointed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.support.sample_table import DAY, MOMENT, PIPELINE, InstantClock, write_rows
from tests.support.table_readers import READERS, Predicate
from tests.support.upkeep import append_files
from trivium.delivery.table import events_table, open_table
from trivium.operations.maintain import maintain
from trivium.operations.tables import Tables

_TIME = pa.timestamp("us", "UTC")
_PLACE = pa.struct([("city", pa.string()), ("point", pa.struct([("lat", pa.float64()), ("seen", _TIME)]))])
_BOX = pa.struct([("n", pa.int8()), ("raw", pa.binary())])
_PARCEL = pa.struct([("label", pa.binary()), ("open", pa.bool_()), ("box", _BOX)])
_TYPES = {
    "flag": pa.bool_(),
    "i8": pa.int8(),
    "i32": pa.int32(),
    "i64": pa.int64(),
    "f32": pa.float32(),
    "f64": pa.float64(),
    "text": pa.string(),
    "raw": pa.binary(),
    "at": _TIME,
    "born": pa.date32(),
    "price": pa.decimal128(10, 2),
    "wide": pa.decimal128(38, 10),
    "tags": pa.list_(pa.string()),
    "place": _PLACE,
    "parcel": _PARCEL,
}
_AUTHOR = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_time", _TIME, nullable=False),
        *(pa.field(name, kind) for name, kind in _TYPES.items()),
    ]
)
_WIDE = Decimal("1234567890123456789012345678.0123456789")
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def _utc(year: int, micros: int = 0) -> datetime:
    return datetime(year, 1, 1, 0, 0, 0, micros, tzinfo=UTC)


# One list a file; a further file has nulls alone. Least and greatest values, what is cut off, nulls among values.
_VALUES: dict[str, list[list[Any]]] = {
    "flag": [[False, False], [True, None], [None, None]],
    "i8": [[-128, 0], [127, None], [None, None]],
    "i32": [[-(2**31), -1], [2**31 - 1, None], [None, None]],
    "i64": [[-(2**63), 2**53 + 1], [2**63 - 1, None], [None, None]],
    "f32": [[-3.4028234663852886e38, 0.10000000149011612], [0.5, None], [None, None]],
    "f64": [[-1.7976931348623157e308, 5e-324], [0.1, 1e300], [0.0, -0.0]],
    "text": [["", "a" * 31 + "éé"], ["b" * 5000, "z\x00'\"\\\u2028"], ["\U0010ffff" * 40, "\ud7ff" * 33]],
    "raw": [[b"", b"\x00\xff"], [b"\xff" * 100, None], [None, None]],
    "at": [[_utc(1), _utc(999)], [_utc(2026, 123456), _LAST], [None, _utc(1600, 1)]],
    "born": [[date(1, 1, 1), date(999, 5, 5)], [date(9999, 12, 31), None], [None, None]],
    "price": [[Decimal("-99999999.99"), Decimal("0.00")], [Decimal("0.10"), None], [None, None]],
    "wide": [[-_WIDE.copy_abs(), Decimal("0E-10")], [_WIDE, Decimal("0.0000000001")], [None, None]],
    "tags": [[["x"], []], [None, ["y", None]], [None, None]],
    "place": [
        [{"city": "Bern" * 20, "point": {"lat": 46.9, "seen": _utc(999)}}, {"city": None, "point": None}],
        [None, {"city": "Biel", "point": {"lat": None, "seen": _utc(2026)}}],
        [None, None],
    ],
    "parcel": [
        [{"label": b"x", "open": True, "box": {"n": 1, "raw": b"y"}}, {"label": None, "open": False, "box": None}],
        [None, {"label": b"", "open": None, "box": {"n": None, "raw": None}}],
        [None, None],
    ],
}
_INSIDE = {
    "place": [("city",), ("point",), ("point", "lat"), ("point", "seen")],
    "parcel": [("label",), ("open",), ("box",), ("box", "n")],
}
_FILES = 3


def _row(number: int, values: dict[str, Any]) -> dict[str, Any]:
    constant = {
        "_event_type": "order",
        "_logic": "l",
        "_plan": "p",
        "_executor": "e",
        "_source": "s",
        "_row": 0,
        "_enrichments": None,
    }
    identity = {"event_id": f"r{number}", "event_time": MOMENT, "event_date": DAY, "_position": number}
    return {**identity, **values, **constant, "_ingested_at": MOMENT}


_ROWS = [
    [_row(2 * file + place, {name: _VALUES[name][file][place] for name in _TYPES}) for place in range(2)]
    for file in range(_FILES)
]
_ROWS.append([_row(2 * len(_ROWS), dict.fromkeys(_TYPES))])
_STATES = ("fresh", "checkpoint", "maintained")


def _predicates(name: str) -> Iterator[Predicate]:
    for path in [(name,), *((name, *inside) for inside in _INSIDE.get(name, ()))]:
        rows = [row for rows in _ROWS for row in rows]
        yield Predicate(path, "is null")
        yield Predicate(path, "is not null")
        values = [value for row in rows if (value := _at(row, path)) is not None]
        if isinstance(values[0], list | dict):
            continue
        yield Predicate(path, "in", [value for value in values if value not in (0, False)][:3:2])
        for value in values:
            yield Predicate(path, "=", value)
        for value in values[:: max(1, len(values) // 3)] if not isinstance(values[0], bytes | bool) else ():
            yield Predicate(path, "<=", value)
            yield Predicate(path, ">", value)


def _at(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = None if row is None else row[name]
    return row


@pytest.fixture(scope="module", params=_STATES)
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = str(tmp_path_factory.mktemp(request.param) / "orders")
    spec = events_table(uri, PIPELINE, _AUTHOR, ["event_date"])
    open_table(spec)
    given = pa.schema([column for column in spec.schema if column.name != "_runtime"])
    for rows in _ROWS:
        table = pa.Table.from_pylist(rows, schema=given)
        append_files(uri, write_rows(uri, table, schema=spec.schema), InstantClock())
    if request.param == "checkpoint":
        DeltaTable(uri).create_checkpoint()
    if request.param == "maintained":
        (done,) = maintain(Tables(uri, f"{uri}_dead_letters"))
        assert done.files_after < done.files_before
    return uri


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", _TYPES)
def test_a_filter_finds_the_rows_it_finds_in_memory(table: str, name: str, reader: str):
    wrong = []
    for predicate in _predicates(name):
        found = READERS[reader](table, predicate)
        expected = sorted(row["event_id"] for rows in _ROWS for row in rows if predicate.holds(row))
        if found is not None and sorted(found) != expected:
            wrong.append(f"{predicate}: {sorted(found)}, expected {expected}")
    assert wrong == []


def test_columns_behind_structs_are_described(table: str):
    actions = pa.table(DeltaTable(table).get_add_actions(flatten=True))
    assert {value for value in actions["min._event_type"].to_pylist() if value} == {"order"}
