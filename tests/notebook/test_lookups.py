"""Lookups from tables in memory."""

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import trivium
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
