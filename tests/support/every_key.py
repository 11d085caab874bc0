"""Trips with a fact by every kind of key, in both forms, whose rows say all facts: for samples and the test kit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium import Enrichment, Event, Executor, NormalizedEvent, Row


class Trip(Event, tag="trip"):
    id: str
    at: datetime
    origin: str | None = None
    hour: int = 0
    stops: tuple[int, ...] | None = None
    fare: str = "basic"


class Weather(Row):
    wind: int
    zone: str | None = None


class Stop(Row):
    name: str
    owner: int | None = None


class Named(Row):
    name: str


class Price(Row):
    cents: int


class TripRow(NormalizedEvent):
    said: str


KEYS: dict[str, Any] = {
    "weather": {"row": Weather, "key": ("origin", "hour"), "missing": "null"},
    "region": {"row": Named, "key": "weather.zone", "missing": "null"},
    "places": {"row": Stop, "key": "stops", "missing": "null"},
    "owners": {"row": Named, "key": "places.owner", "missing": "null"},
    "cell": {"row": Named, "key": "cell_of", "missing": "null"},
    "price": {"row": Price, "key": "fare", "missing": "null", "as_of": "at"},
    "usual": {"row": Price, "key": "fare", "lookup": "usual", "default": Price(cents=7)},
}


class TripExecutor(Executor[Trip, TripRow]):
    weather = Enrichment(**KEYS["weather"])
    region = Enrichment(**KEYS["region"])
    places = Enrichment(**KEYS["places"])
    owners = Enrichment(**KEYS["owners"])
    cell = Enrichment(**KEYS["cell"])
    price = Enrichment(**KEYS["price"])
    usual = Enrichment(**KEYS["usual"])

    def cell_of(self, event: Trip) -> str | None:
        return None if event.origin is None else event.origin[:1]

    def process(  # noqa: PLR0917 - a fact of every kind
        self,
        event: Trip,
        weather: Weather | None,
        region: Named | None,
        places: tuple[Stop | None, ...] | None,
        owners: tuple[Named | None, ...] | None,
        cell: Named | None,
        price: Price | None,
        usual: Price,
    ) -> TripRow:
        facts = {
            "weather": weather and weather.wind,
            "region": region and region.name,
            "places": None if places is None else [place and place.name for place in places],
            "owners": None if owners is None else [owner and owner.name for owner in owners],
            "cell": cell and cell.name,
            "price": price and price.cents,
            "usual": usual.cents,
        }
        return TripRow(event_id=event.id, event_time=event.at, said=_text(facts))


class TripBatchExecutor(Executor[Trip, TripRow]):
    weather = Enrichment(**KEYS["weather"])
    region = Enrichment(**KEYS["region"])
    places = Enrichment(**KEYS["places"])
    owners = Enrichment(**KEYS["owners"])
    cell = Enrichment(**KEYS["cell"], key_type=str)
    price = Enrichment(**KEYS["price"])
    usual = Enrichment(**KEYS["usual"])

    def cell_of(self, events: pa.RecordBatch) -> pa.Array:
        return pc.utf8_slice_codeunits(events.column("origin"), 0, 1)

    def process_batch(  # noqa: PLR0917
        self,
        events: pa.RecordBatch,
        weather: pa.RecordBatch,
        region: pa.RecordBatch,
        places: pa.RecordBatch,
        owners: pa.RecordBatch,
        cell: pa.RecordBatch,
        price: pa.RecordBatch,
        usual: pa.RecordBatch,
    ) -> tuple[pa.RecordBatch, pa.Array]:
        columns = {
            "weather": weather.column("wind"),
            "region": region.column("name"),
            "places": places.column("name"),
            "owners": owners.column("name"),
            "cell": cell.column("name"),
            "price": price.column("cents"),
            "usual": usual.column("cents"),
        }
        facts = [dict(zip(columns, values, strict=True)) for values in zip(*map(_list, columns.values()), strict=True)]
        said = pa.array([_text(each) for each in facts], pa.string())
        arrays = [events.column("id"), events.column("at"), said]
        rows = pa.RecordBatch.from_arrays(arrays, schema=self.declaration.row_schema)
        return rows, pa.array(np.arange(events.num_rows, dtype=np.int32))


def trip(**fields: Any) -> dict[str, Any]:
    """Return an event."""
    return {"event_type": "trip", "id": "1", "at": "2026-01-01T09:30:00Z"} | fields


def row(**facts: Any) -> dict[str, Any]:
    """Return the row of `trip()` with these facts, the default of the one that has one, and no other."""
    said = dict.fromkeys(KEYS) | {"usual": 7} | facts
    return {"event_id": "1", "event_time": "2026-01-01T09:30:00Z", "said": _text(said)}


def _list(column: pa.Array) -> list[Any]:
    return column.to_pylist()  # type: ignore[no-any-return]


def _text(facts: dict[str, Any]) -> str:
    return msgspec.json.encode(facts).decode()
