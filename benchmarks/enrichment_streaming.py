"""Streams whose events need a fact that takes 20 ms a call: the engine's queue of batches and a loop by hand."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import Goal
from trivium import Answer, Enrichment, Event, Executor, Hint, NormalizedEvent, Row
from trivium.config.worker_spec import spec_of
from trivium.core.clock import Deadline, SystemClock
from trivium.delivery.files.event_files import EventFiles
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage
from trivium.engine.batch import RawBatch
from trivium.engine.lookups.clients import clients_of
from trivium.engine.worker import Worker
from trivium.runtimes.in_flight import InFlight

_SIZE: Final = 2_000
_KEYS: Final = 1_000
_CALL_SECONDS: Final = 0.02
_ASIDE: Final = 16
_HOT: Final = 1_000
_MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_HINTS: Final = Hint.SLOW | Hint.ASYNC | Hint.CACHEABLE
Batches = Sequence[Sequence[bytes]]


class Item(Row):
    """The fact."""

    name: str
    price: int


class View(Event, tag="view"):
    """An event with the key of a fact."""

    id: str
    item: str


class Line(NormalizedEvent):
    """A row with or without the fact."""

    name: str | None = None
    price: int | None = None


class Plain(Executor[View, Line]):
    """The same work without a fact."""

    def process(self, event: View) -> Line:
        """Return the row."""
        return Line(event_id=event.id, event_time=_MOMENT, name=event.item, price=7)


class Enriched(Executor[View, Line]):
    """The work with the fact."""

    item = Enrichment(Item, key="item", hints=_HINTS)

    def process(self, event: View, item: Item) -> Line:
        """Return the row."""
        return Line(event_id=event.id, event_time=_MOMENT, name=item.name, price=item.price)


class SlowItems:
    """A lookup that takes 20 ms a call and knows every key."""

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer after 20 ms."""
        time.sleep(_CALL_SECONDS)
        count = len(keys)
        rows = pa.RecordBatch.from_arrays([keys, pa.repeat(pa.scalar(7, pa.int64()), count)], names=["name", "price"])
        return Answer(rows, pa.array(np.arange(count, dtype=np.int32)))


def streaming_goals(events: int, rounds: int) -> list[Goal]:
    """Return what facts cost a stream: where 95 % of keys repeat by none at all, where none repeats by hand."""
    repeating, fresh = _batches(events, _hot_keys(events)), _batches(events, [f"item-{n}" for n in range(events)])
    sides: dict[str, list[float]] = {name: [] for name in ("plain", "repeating", "fresh", "by hand")}
    for _ in range(rounds):
        sides["plain"].append(_engine(Plain, repeating))
        sides["repeating"].append(_engine(Enriched, repeating))
        sides["fresh"].append(_engine(Enriched, fresh))
        sides["by hand"].append(_by_hand(fresh))
    seconds = {name: median(found) for name, found in sides.items()}
    for name, each in seconds.items():
        print(f"streaming, {name}: {events / each:,.0f} events/s")
    return [
        Goal(
            "streaming, 95 % of keys repeat: by no facts",
            seconds["repeating"] / seconds["plain"],
            1 / 0.85,
        ),
        Goal("streaming, no key repeats: by the loop by hand", seconds["fresh"] / seconds["by hand"], 1.3),
    ]


def _hot_keys(events: int) -> Sequence[str]:
    """Return keys of which 95 % are among a thousand hot ones, and the others come once."""
    random = np.random.default_rng(0)
    hot, fresh = random.integers(0, _HOT, events), random.random(events) < 0.05
    return [f"new-{n}" if is_new else f"hot-{key}" for n, (key, is_new) in enumerate(zip(hot, fresh, strict=True))]


def _batches(events: int, keys: Sequence[str]) -> Batches:
    made = [json.dumps({"event_type": "view", "id": str(n), "item": key}).encode() for n, key in enumerate(keys)]
    return [made[at : at + _SIZE] for at in range(0, events, _SIZE)]


def _engine(executor: type[Executor[Any, Any]], batches: Batches) -> float:
    spec, clock = spec_of([executor]), SystemClock()
    lookups = {"item": SlowItems()} if spec.lookups else {}
    clients = clients_of(spec.lookups, lookups, clock)
    in_flight: InFlight[int] = InFlight(Worker(spec, clock), clients, clock)
    with tempfile.TemporaryDirectory() as folder:
        schema = table_schema(spec.table_columns)
        files = EventFiles(PartitionedFiles(Storage(folder), schema, ("event_date",), "b", {"_runtime": "streaming"}))
        began = time.perf_counter()
        parts = (
            (number, RawBatch(values, "t/0", np.arange(len(values))), sum(map(len, values)))
            for number, values in enumerate(batches)
        )
        for _, outcomes in in_flight.run(parts):
            files.add(outcomes.emitted.values())
        rows = sum(file.rows for file in files.close())
        spent = time.perf_counter() - began
    assert rows == sum(map(len, batches))
    for client in clients.values():
        client.close()
    return spent


class _HandView(msgspec.Struct, tag="view", tag_field="event_type"):
    id: str
    item: str


def _by_hand(batches: Batches) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with pq.ParquetWriter(Path(folder) / "rows.parquet", _HAND_SCHEMA, compression="zstd") as writer:
            rows = asyncio.run(_Loop(writer).run(batches))
        spent = time.perf_counter() - began
    assert rows == sum(map(len, batches))
    return spent


_HAND_SCHEMA: Final = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_time", pa.timestamp("us", "UTC")),
        ("name", pa.string()),
        ("price", pa.int64()),
    ]
)


class _Loop:
    """Batches in flight on an event loop, a dictionary of what was answered, rows as Arrow columns."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._known: dict[str, tuple[str, int]] = {}
        self._calls = asyncio.Semaphore(8)
        self._decoder = msgspec.json.Decoder(_HandView)

    async def run(self, batches: Batches) -> int:
        waiting: list[asyncio.Task[pa.Table]] = []
        rows = 0
        for values in batches:
            waiting.append(asyncio.create_task(self._batch(values)))
            await asyncio.sleep(0)
            if len(waiting) >= _ASIDE:
                rows += self._written(await waiting.pop(0))
        return rows + sum([self._written(await task) for task in waiting])

    def _written(self, table: pa.Table) -> int:
        self._writer.write_table(table)
        return int(table.num_rows)

    async def _batch(self, values: Sequence[bytes]) -> pa.Table:
        events = [self._decoder.decode(value) for value in values]
        new = list({event.item for event in events} - self._known.keys())
        await asyncio.gather(*(self._call(new[at : at + _KEYS]) for at in range(0, len(new), _KEYS)))
        facts = [self._known[event.item] for event in events]
        return pa.table(
            {
                "event_id": [event.id for event in events],
                "event_time": pa.array([_MOMENT] * len(events), pa.timestamp("us", "UTC")),
                "name": [name for name, _ in facts],
                "price": [price for _, price in facts],
            },
            _HAND_SCHEMA,
        )

    async def _call(self, keys: Sequence[str]) -> None:
        async with self._calls:
            await asyncio.sleep(_CALL_SECONDS)
        self._known.update((key, (key, 7)) for key in keys)
