"""Small executors for tests of the path after decoding: one event type `item`, rows `Line`, both forms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.support.engine_inputs import raw
from trivium import Event, Executor, NormalizedEvent, RetryPolicy
from trivium.config.worker_spec import spec_of
from trivium.contract.lookup import Lookup
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker
from trivium.engine.outcomes import Outcomes, Reject
from trivium.testing import ManualClock

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


class Item(Event, tag="item"):
    n: int
    key: str | None = None


class Line(NormalizedEvent):
    n: int


def line(event: Any, **changed: Any) -> Line:
    """The plain row of an event."""
    return Line(**({"event_id": f"i{event.n}", "event_time": MOMENT, "n": event.n} | changed))


def lines(events: pa.RecordBatch) -> pa.RecordBatch:
    """The plain rows of columns of events."""
    columns = {
        "event_id": pc.binary_join_element_wise("i", events.column("n").cast(pa.string()), ""),
        "event_time": pa.repeat(pa.scalar(MOMENT, pa.timestamp("us", "UTC")), events.num_rows),
        "n": events.column("n"),
    }
    return pa.RecordBatch.from_pydict(columns)


def every(count: int) -> Any:
    """One row an event."""
    return np.arange(count, dtype=np.int32)


def row_form(process: Callable[..., Any], **members: Any) -> type[Executor[Any, Any]]:
    """A row-form executor of this function of an event."""

    class Rows(Executor[Item, Line]):
        def process(self, event: Any) -> Any:
            return process(event)

        locals().update(members)

    return Rows


def column_form(process: Callable[[pa.RecordBatch], Any], **members: Any) -> type[Executor[Any, Any]]:
    """A column-form executor of this function of columns."""

    class Columns(Executor[Item, Line]):
        def process_batch(self, events: pa.RecordBatch) -> Any:
            return process(events)

        locals().update(members)

    return Columns


def items(numbers: Iterable[int], **fields: Any) -> RawBatch:
    """Records of type `item`."""
    return raw(*(json.dumps({"event_type": "item", "n": n, **fields}).encode() for n in numbers))


def worker(
    executor: type[Executor[Any, Any]],
    clock: ManualClock | None = None,
    retry: RetryPolicy | None = None,
    lookups: dict[str, Lookup] | None = None,
) -> BlockingWorker:
    """A worker for one executor."""
    return BlockingWorker(
        spec_of([executor], retry=retry or RetryPolicy(attempts=1)), lookups or {}, clock or ManualClock()
    )


def emitted(out: Outcomes, column: str = "n", event_type: str = "item") -> list[Any]:
    """One column of the rows that came out."""
    rows = out.emitted.get(event_type)
    return [] if rows is None else rows.rows.column(column).to_pylist()


def rejects(out: Outcomes) -> dict[int, Reject]:
    """Rejects by batch row; the balance must hold."""
    found = {reject.index: reject for reject in out.rejects}
    assert len(found) == len(out.rejects)
    dropped = {int(row) for rows in out.dropped.values() for row in rows}
    kept = {int(row) for rows in out.emitted.values() for row in rows.parents}
    assert len(found) + len(dropped) + len(kept) == out.read
    assert set(found) | dropped | kept == set(range(out.read))
    return found
