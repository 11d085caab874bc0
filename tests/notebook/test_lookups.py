"""Lookups from tables in memory."""

from datetime import datetime
from typing import Any

import msgspec
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import trivium
from tests.support.every_key import TripExecutor, trip
from tests.support.notebook_flights import PLANES, DepartureExecutor, event
from trivium import Enrichment, Event, Executor, NormalizedEvent, Row
from trivium.notebook.errors import InputError

ROWS = [{"tail_number": key, **row} for key, row in PLANES.items()]
TABLE = pa.Table.from_pylist(ROWS)
REGISTER = TABLE.rename_columns(["tailnum", *TABLE.column_names[1:]])


def models(lookup: Any) -> list[str | None]:
    """What four events find."""
    data = [event(tail_number=tail) for tail in ("N2", None, "N1", "N9")]
    result = trivium.run(DepartureExecutor, data, lookups={"plane": lookup})
    return result.rows.column("model").to_pylist()


@pytest.mark.parametrize(
    "lookup",
    [
        pytest.param(PLANES, id="dict"),
        pytest.param(ROWS, id="list"),
        pytest.param(([{**row, "tailnum": row["tail_number"]} for row in ROWS], "tailnum"), id="list-and-key"),
        pytest.param(TABLE, id="arrow"),
        pytest.param((REGISTER, "tailnum"), id="arrow-and-key"),
        pytest.param(pd.DataFrame(ROWS)[["tail_number", "model"]], id="pandas"),
        pytest.param(pl.DataFrame(ROWS), id="polars"),
    ],
)
def test_every_form_answers_the_same(lookup: Any) -> None:
    assert models(lookup) == ["A320", None, "737", None]


@pytest.mark.parametrize("lookup", [{}, [], TABLE.slice(0, 0)])
def test_an_empty_lookup_knows_nothing(lookup: Any) -> None:
    if lookup == []:
        lookup = (
            pa.table({"tail_number": pa.array([], pa.string()), "model": pa.array([], pa.string())}),
            "tail_number",
        )
    assert models(lookup) == [None] * 4


def test_missing_and_unknown_lookups_are_said_together() -> None:
    with pytest.raises(InputError) as refused:
        trivium.run(DepartureExecutor, [], lookups={"plan": {}})
    text = str(refused.value)
    assert "plane is missing: it answers model, year by tail_number" in text
    assert "did you mean plane?" in text


@pytest.mark.parametrize(
    ("lookup", "message"),
    [
        (REGISTER, "key in a column tail_number, but it has tailnum, model"),
        ((TABLE, "tailnum"), "key in a column tailnum"),
        (TABLE.drop_columns(["model"]), "column model: it is required and missing"),
        (TABLE.set_column(1, "model", pa.array([1, 2])), "column model: expected string, got int64"),
        (TABLE.set_column(1, "model", pa.array(["737", None])), "row 1, column model: a value is required"),
        (TABLE.set_column(0, "tail_number", pa.array([1, 2])), "key column tail_number: expected string"),
        (TABLE.set_column(0, "tail_number", pa.array(["N1", None])), "got none in row 1"),
        (pa.concat_tables([TABLE, TABLE]), "got 2 keys more than once, such as 'N1'"),
        ({1: {"model": "737"}}, "keys of type string"),
        ({"N1": {"model": 737}}, r"row 0 .* - at `\$.model`"),
        ({"N1": {"model": "737", "year": 2**40}}, r"row 0 .* - at `\$.year`"),
        ({"N1": 737}, "row 0"),
        (7, "a list of dicts or a table, got 7"),
    ],
)
def test_a_lookup_that_cannot_be_read_is_refused(lookup: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        models(lookup)


class Hop(Event, tag="hop"):
    origin: str
    destination: str


class Airport(Row):
    name: str


class Route(NormalizedEvent):
    names: tuple[str, ...]


class HopExecutor(Executor[Hop, Route]):
    origin_airport = Enrichment(Airport, key="origin", lookup="airport", missing="reject")
    destination_airport = Enrichment(Airport, key="destination", lookup="airport", missing="drop")

    def process(self, event: Hop, origin_airport: Airport, destination_airport: Airport) -> Route:
        return Route(event_id="x", event_time=TIME, names=(origin_airport.name, destination_airport.name))


TIME = pa.scalar(0, pa.timestamp("us", "UTC")).as_py()


def test_two_enrichments_share_a_lookup_and_a_miss_follows_the_declaration() -> None:
    airports = {"JFK": {"name": "Kennedy"}, "ZRH": {"name": "Kloten"}}
    hops = [{"origin": a, "destination": b} for a, b in (("JFK", "ZRH"), ("XXX", "ZRH"), ("ZRH", "XXX"))]
    result = trivium.run(HopExecutor, hops, lookups={"airport": airports})
    assert result.rows.column("names").to_pylist() == [["Kennedy", "Kloten"]]
    assert result.rejected.column("reason").to_pylist() == ["enrichment_missing"]
    assert result.dropped.column("index").to_pylist() == [2]


def test_a_table_with_two_possible_keys_asks_which() -> None:
    table = pa.table({"origin": ["JFK"], "destination": ["ZRH"], "name": ["x"]})
    with pytest.raises(InputError, match="origin or destination"):
        trivium.run(HopExecutor, [], lookups={"airport": table})


TIMES = pa.timestamp("us", "UTC")
AT = "2026-01-01T09:30:00Z"
PRICES = [
    {"fare": "full", "valid_from": None, "valid_to": "2025-06-01T00:00:00Z", "cents": 1},
    {"fare": "full", "valid_from": "2026-01-01T00:00:00Z", "valid_to": AT, "cents": 2},
    {"fare": "full", "valid_from": AT, "valid_to": "2027-01-01T00:00:00Z", "cents": 3},
    {"fare": "full", "valid_from": "2027-01-01T00:00:00Z", "cents": 4},
]
SCHEMA = pa.schema([("fare", pa.string()), ("valid_from", TIMES), ("valid_to", TIMES), ("cents", pa.int64())])
FACTS: dict[str, Any] = {
    "weather": {("zrh", 5): {"wind": 3, "zone": "alps"}},
    "region": {"alps": {"name": "Alps"}},
    "places": {1: {"name": "one", "owner": 10}},
    "owners": [{"owner": 10, "name": "ten"}],
    "cell": {"z": {"name": "Z"}},
    "price": PRICES,
    "usual": {},
}


def said(event: dict[str, Any], **lookups: Any) -> Any:
    """What one trip finds."""
    result = trivium.run(TripExecutor, [event], lookups=FACTS | lookups)
    return msgspec.json.decode(result.rows.column("said")[0].as_py())


def timed(rows: list[dict[str, Any]]) -> pa.Table:
    """Prices as a table."""
    times = {"valid_from", "valid_to"}
    parsed = [{k: datetime.fromisoformat(v) if k in times and v else v for k, v in each.items()} for each in rows]
    return pa.Table.from_pylist(parsed, schema=SCHEMA)


@pytest.mark.parametrize(
    "weather",
    [
        FACTS["weather"],
        [{"origin": "zrh", "hour": 5, "wind": 3, "zone": "alps"}],
        pa.table({"hour": [5], "origin": ["zrh"], "wind": [3], "zone": ["alps"]}),
        (pa.table({"h": [5], "o": ["zrh"], "wind": [3], "zone": ["alps"]}), ("o", "h")),
    ],
    ids=["mapping", "list", "table", "table-and-names"],
)
@pytest.mark.parametrize(
    "prices", [PRICES, timed(PRICES), pl.DataFrame(timed(PRICES))], ids=["list", "arrow", "polars"]
)
def test_keys_of_every_kind(weather: Any, prices: Any) -> None:
    event = trip(origin="zrh", hour=5, stops=[1, 2], fare="full")
    assert said(event, weather=weather, price=prices) == {
        "weather": 3,
        "region": "Alps",
        "places": ["one", None],
        "owners": ["ten", None],
        "cell": "Z",
        "price": 3,
        "usual": 7,
    }


@pytest.mark.parametrize(
    ("at", "cents"),
    [
        ("2020-01-01T00:00:00Z", 1),
        ("2025-05-31T23:59:59.999999Z", 1),
        ("2025-06-01T00:00:00Z", None),
        ("2026-01-01T09:29:59.999999Z", 2),
        (AT, 3),
        ("2026-12-31T23:59:59Z", 3),
        ("2027-01-01T00:00:00Z", 4),
    ],
)
def test_a_fact_is_the_one_that_was_valid(at: str, cents: int | None) -> None:
    assert said(trip(at=at, fare="full"))["price"] == cents
    assert said(trip(at=at, fare="other"), price=timed(PRICES))["price"] is None
    assert said(trip(at=at, fare="full"), price={})["price"] is None


def test_without_ends_a_fact_holds_until_the_next() -> None:
    prices = timed(PRICES).drop_columns(["valid_to"])
    found = [said(trip(at=at, fare="full"), price=prices)["price"] for at in ("2025-12-31T23:59:59Z", AT)]
    assert found == [1, 3]


@pytest.mark.parametrize(
    ("lookups", "message"),
    [
        ({"weather": {"zrh": {"wind": 3}}}, r"expected tuples of origin, hour as keys, got 'zrh'"),
        ({"weather": {("zrh", "5"): {"wind": 3}}}, "expected keys of type int64"),
        ({"weather": [{"origin": "zrh", "wind": 3}]}, r"the key in columns \(origin, hour\), but it has origin, wind"),
        ({"weather": (TABLE, "tail_number")}, "the names of 2 key columns, got tail_number"),
        ({"places": [{"id": 1, "name": "x"}]}, "the key in a column stops, but it has id, name"),
        ({"price": {"full": {"cents": 3}}}, "each row has to say valid_from, .* got cents"),
        ({"price": timed(PRICES).drop_columns(["valid_from"])}, "each row has to say valid_from"),
        ({"price": timed([*PRICES, PRICES[1]])}, "rows that begin with another of their key"),
        (
            {"price": timed([PRICES[1] | {"valid_to": "2028-01-01T00:00:00Z"}, PRICES[3]])},
            "begin before the one before",
        ),
        ({"price": [{"fare": "full", "valid_from": "yesterday", "cents": 1}]}, "row 0 .*valid_from"),
    ],
)
def test_rows_that_do_not_fit_their_keys_are_refused(lookups: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        said(trip(), **lookups)


def test_missing_lookups_say_their_keys() -> None:
    with pytest.raises(InputError) as refused:
        trivium.run(TripExecutor, [], lookups={})
    text = str(refused.value)
    assert "weather is missing: it answers wind, zone by (origin, hour)\n" in text
    assert "region is missing: it answers name by zone\n" in text
    assert "cell is missing: it answers name by cell_of\n" in text
    assert "price is missing: it answers cents by fare as of a time\n" in text
