"""A year of changing facts through the hosts of all three runtimes, row by row beside DuckDB's as-of join."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.engine_inputs import raw
from trivium import Enrichment, Event, Executor, Hint, NormalizedEvent, Row
from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.model.serving import Serving
from trivium.config.pipeline import BoundLookup
from trivium.config.worker_spec import WorkerSpec, spec_of
from trivium.connectors import open_lookup
from trivium.core.clock import Deadline, SystemClock
from trivium.engine.batch import Batch, TypedBatch
from trivium.engine.lookups.client import LookupClient
from trivium.engine.lookups.clients import clients_of
from trivium.engine.requests.worker import RequestWorker
from trivium.engine.worker import Worker
from trivium.runtimes.in_flight import InFlight
from trivium.runtimes.serving.http.admission import Admission
from trivium.runtimes.serving.http.answering import EventRequest, LoopAnswering

START = datetime(2024, 1, 1, tzinfo=UTC)
EVENTS, SIZE, SHOPS = 3_000, 250, 40
SHARED = Hint.ASYNC | Hint.CACHEABLE


class Price(Row):
    shop: str
    cents: int


class Sale(Event, tag="sale"):
    id: str
    at: datetime
    shop: str


class Line(NormalizedEvent):
    cents: int | None = None


class Sales(Executor[Sale, Line]):
    price = Enrichment(
        Price, key="shop", lookup="prices", as_of="at", missing="null", hints=Hint.ASYNC | Hint.CACHEABLE
    )

    def process(self, event: Sale, price: Price | None) -> Line:
        return Line(event_id=event.id, event_time=event.at, cents=None if price is None else price.cents)


@dataclass(frozen=True)
class Year:
    """Sales of a year, the table of prices, and what an as-of join says of each sale."""

    sales: list[dict[str, Any]]
    expected: dict[str, int | None]
    bound: BoundLookup
    spec: WorkerSpec

    def clients(self) -> dict[str, LookupClient]:
        lookup = open_lookup(self.bound, SystemClock(), pinned=True)
        return clients_of(self.spec.lookups, {"prices": lookup}, SystemClock())


@pytest.fixture(scope="module", params=["parquet", "sql"])
def year(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Year:
    """Prices that change every few days, with gaps between some; sales at any moment, some just when one changes."""
    random, folder = np.random.default_rng(7), tmp_path_factory.mktemp("year")
    prices = pa.Table.from_pylist(list(_prices(random)))
    changes = [moment for moment in prices.column("valid_from").to_pylist() if moment >= START]
    sales = [_sale(number, random, changes) for number in range(EVENTS)]
    settings = _parquet(folder, prices) if request.param == "parquet" else _sqlite(folder, prices)
    spec = spec_of([Sales])
    each = spec.lookups["prices"]
    bound = BoundLookup(
        name=each.name,
        columns=each.columns,
        key_type=each.key_type,
        retry=each.retry,
        unavailable="fail",
        as_of=True,
        config=LOOKUP_KINDS.read(settings),
    )
    return Year(sales, _joined(sales, prices), bound, spec)


def _prices(random: np.random.Generator) -> Iterator[dict[str, Any]]:
    for shop in range(SHOPS):
        moment = START + timedelta(days=int(random.integers(-20, 20)))
        while moment < START + timedelta(days=366):
            end = moment + timedelta(seconds=int(random.integers(3600, 40 * 86400)))
            yield {"shop": f"s{shop}", "cents": int(random.integers(1, 9999)), "valid_from": moment, "valid_to": end}
            moment = end if random.random() < 0.7 else end + timedelta(days=3)


def _sale(number: int, random: np.random.Generator, changes: list[datetime]) -> dict[str, Any]:
    if random.random() < 0.3:
        at = changes[int(random.integers(len(changes)))] + timedelta(microseconds=int(random.integers(-1, 2)))
    else:
        at = START + timedelta(microseconds=int(random.integers(0, 365 * 86400 * 1_000_000)))
    return {"event_type": "sale", "id": f"e{number}", "at": at.isoformat(), "shop": f"s{random.integers(SHOPS + 2)}"}


def _parquet(folder: Path, prices: pa.Table) -> dict[str, Any]:
    pq.write_table(prices, folder / "prices.parquet")
    section = {"type": "parquet", "path": str(folder / "prices.parquet"), "key": "shop"}
    return {**section, "valid_from": "valid_from", "valid_to": "valid_to"}


def _sqlite(folder: Path, prices: pa.Table) -> dict[str, Any]:
    with sqlite3.connect(folder / "prices.sqlite") as database:
        database.execute("CREATE TABLE prices (shop TEXT, cents INTEGER, valid_from TEXT, valid_to TEXT)")
        rows = [
            (row["shop"], row["cents"], *(f"{row[name]:%Y-%m-%dT%H:%M:%S.%fZ}" for name in ("valid_from", "valid_to")))
            for row in prices.to_pylist()
        ]
        database.executemany("INSERT INTO prices VALUES (?, ?, ?, ?)", rows)
    section = {"type": "sql", "path": str(folder / "prices.sqlite"), "table": "prices", "key": ["shop"]}
    return {**section, "valid_from": "valid_from", "valid_to": "valid_to"}


def _joined(sales: list[dict[str, Any]], prices: pa.Table) -> dict[str, int | None]:
    connection = duckdb.connect()
    events = pa.table(
        {
            "id": [each["id"] for each in sales],
            "shop": [each["shop"] for each in sales],
            "at": pa.array([datetime.fromisoformat(each["at"]) for each in sales], pa.timestamp("us", "UTC")),
        }
    )
    connection.register("events", events)
    connection.register("prices", prices)
    found = connection.sql(
        "SELECT e.id, CASE WHEN e.at < p.valid_to THEN p.cents END "
        "FROM events e ASOF LEFT JOIN prices p ON e.shop = p.shop AND e.at >= p.valid_from"
    )
    return dict(found.fetchall())


def batches(year: Year, kind: str) -> Iterator[Batch]:
    for start in range(0, EVENTS, SIZE):
        part = year.sales[start : start + SIZE]
        if kind == "raw":
            yield raw(*(json.dumps(each).encode() for each in part))
            continue
        times = pa.array([datetime.fromisoformat(each["at"]) for each in part], pa.timestamp("us", "UTC"))
        columns = {"id": [each["id"] for each in part], "at": times, "shop": [each["shop"] for each in part]}
        yield TypedBatch(pa.RecordBatch.from_pydict(columns), "a", np.arange(len(part)), event_type="sale")


@pytest.mark.parametrize("kind", ["typed", "raw"])
def test_batch_and_stream(year: Year, kind: str) -> None:
    clients = year.clients()
    in_flight: InFlight[int] = InFlight(Worker(year.spec, SystemClock()), clients, SystemClock())
    found: dict[str, int | None] = {}

    for _, outcomes in in_flight.run((number, batch, 1) for number, batch in enumerate(batches(year, kind))):
        rows = outcomes.emitted["sale"].rows
        found.update(zip(rows.column("event_id").to_pylist(), rows.column("cents").to_pylist(), strict=True))
    assert found == year.expected
    assert None in found.values()
    for client in clients.values():
        client.close()


def test_serving(year: Year) -> None:
    clock = SystemClock()
    admission = Admission(Serving(route="/sales"), clock)
    answering = LoopAnswering(RequestWorker(year.spec, clock), year.clients(), admission, 100, clock)

    async def story() -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        for start in range(0, EVENTS, 100):
            body = json.dumps(year.sales[start : start + 100]).encode()
            for answer in await answering.answer(EventRequest(body, None, Deadline.after(clock, 30), 30)):
                row = json.loads(msgspec.json.encode(answer.rows[0]))
                found[row["event_id"]] = row["cents"]
        return found

    assert asyncio.run(story()) == year.expected
    answering.close()
