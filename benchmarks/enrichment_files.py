"""A table of millions of facts in a file: joined to a batch, beside DuckDB, and refreshed while it answers."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import Goal
from trivium import Enrichment, Event, Executor, NormalizedEvent, Row
from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.pipeline import BoundLookup
from trivium.config.worker_spec import spec_of
from trivium.connectors import open_lookup
from trivium.core.clock import Deadline, SystemClock
from trivium.engine.batch import TypedBatch
from trivium.engine.lookups.clients import clients_of
from trivium.engine.worker import Worker
from trivium.runtimes.in_flight import InFlight

_SLICE: Final = 131_072
_MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)


class User(Row):
    """The fact."""

    user: str
    level: int


class Click(Event, tag="click"):
    """An event of a user."""

    id: str
    at: datetime
    user: str


class Line(NormalizedEvent):
    """The event with the user's level."""

    level: int | None = None


class Clicks(Executor[Click, Line]):
    """Adds the user's level, in columns."""

    level = Enrichment(User, key="user", lookup="users", missing="null")

    def process_batch(self, events: pa.RecordBatch, level: pa.RecordBatch) -> Any:
        """Return the rows and their parents."""
        columns = [events.column("id"), events.column("at"), level.column("level")]
        rows = pa.RecordBatch.from_arrays(columns, names=["event_id", "event_time", "level"])
        return rows, np.arange(events.num_rows, dtype=np.int32)


def write_facts(folder: Path, count: int) -> Path:
    """Write the table of facts; returns its file."""
    numbers = np.arange(count)
    users = pa.array([f"user-{n * 7919 % 100_000_007:09d}" for n in range(count)])
    path = folder / "users.parquet"
    pq.write_table(pa.table({"user": users, "level": pa.array(numbers % 100)}), path)
    return path


def _lookup(path: Path, refresh_seconds: float, *, pinned: bool) -> Any:
    section = {"type": "parquet", "path": str(path), "key": "user", "refresh_seconds": refresh_seconds}
    config: Any = LOOKUP_KINDS.read(section)
    spec = spec_of([Clicks]).lookups["users"]
    bound = BoundLookup(
        name=spec.name,
        columns=spec.columns,
        key_type=spec.key_type,
        retry=spec.retry,
        unavailable="fail",
        config=config,
    )
    return open_lookup(bound, SystemClock(), pinned=pinned)


def batch_goals(path: Path, facts: int, rows: int, rounds: int) -> list[Goal]:
    """Return the time of the engine over that of a DuckDB join of the same rows."""
    events = _events(path, facts, rows)
    spec, clock = spec_of([Clicks]), SystemClock()
    lookup = _lookup(path, 3600.0, pinned=True)
    clients = clients_of(spec.lookups, {"users": lookup}, clock)
    sides: list[tuple[list[float], Callable[[], int]]] = [
        ([], lambda: _engine(InFlight(Worker(spec, clock), clients, clock), events)),
        ([], lambda: _duckdb(events, path)),
    ]
    for _ in range(rounds):
        for seconds, work in sides:
            began = time.perf_counter()
            assert work() == rows
            seconds.append(time.perf_counter() - began)
    engine, peer = (median(seconds) for seconds, _ in sides)
    lookup.close()
    print(f"batch, {rows:,} rows by {facts:,} facts: engine {engine:.2f} s, DuckDB's join {peer:.2f} s")
    return [Goal(f"batch, {rows:,} rows by {facts:,} facts: time by DuckDB's join", engine / peer, 2.0)]


def _events(path: Path, facts: int, rows: int) -> pa.Table:
    users = pq.read_table(path, columns=["user"]).column("user").combine_chunks()
    chosen = users.take(pa.array(np.random.default_rng(1).integers(0, facts, rows)))
    ids = pa.array(np.arange(rows)).cast(pa.string())
    return pa.table({"id": ids, "at": pa.repeat(pa.scalar(_MOMENT, pa.timestamp("us", "UTC")), rows), "user": chosen})


def _engine(in_flight: InFlight[int], events: pa.Table) -> int:
    parts = (
        (number, TypedBatch(batch, "bench", np.arange(batch.num_rows), event_type="click"), batch.nbytes)
        for number, batch in enumerate(events.to_batches(_SLICE))
    )
    return sum(each.rows.num_rows for _, outcomes in in_flight.run(parts) for each in outcomes.emitted.values())


def _duckdb(events: pa.Table, path: Path) -> int:
    connection = duckdb.connect()
    connection.register("events", events)
    query = f"SELECT e.id, e.at, f.level FROM events e LEFT JOIN read_parquet('{path}') f ON e.user = f.user"
    return int(connection.sql(query).to_arrow_table().num_rows)


def refresh_goals(path: Path, facts: int) -> list[Goal]:
    """Return the 99th percentile of answers while the table is loaded again, over that while it is not."""
    copy = path.with_name("refreshed.parquet")
    shutil.copy(path, copy)
    lookup, clock = _lookup(copy, 0.5, pinned=False), SystemClock()
    keys = pa.array([f"user-{n * 7919 % 100_000_007:09d}" for n in range(0, facts, max(1, facts // 10))])
    lookup.fetch(keys, Deadline.after(clock, 60))

    def percentile(seconds: float) -> float:
        spent, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end:
            began = time.perf_counter()
            lookup.fetch(keys, Deadline.after(clock, 60))
            spent.append(time.perf_counter() - began)
            time.sleep(0.001)
        return float(np.percentile(spent, 99)) * 1e3

    quiet = percentile(3)
    replaced = threading.Timer(0.2, lambda: (shutil.copy(path, f"{copy}.new"), os.replace(f"{copy}.new", copy)))
    replaced.start()
    busy = percentile(8)
    replaced.join()
    lookup.close()
    print(f"refresh of {facts:,} facts: p99 {busy:.2f} ms while it goes on, {quiet:.2f} ms else")
    return [Goal(f"refresh of {facts:,} facts: p99 by that without one", busy / quiet, 1.2)]
