"""Inputs of a parked type are set aside whole: none is shown to its executor, whatever it looks like."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from trivium import Event, Executor, NormalizedEvent
from trivium.config.worker_spec import spec_of
from trivium.core.clock import SystemClock
from trivium.engine.batch import Batch, RawBatch, TypedBatch
from trivium.engine.breaker import judged_inputs
from trivium.engine.outcomes import Counts, Outcomes
from trivium.engine.steps import run_in_place
from trivium.engine.worker import Worker

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Kept(Event, tag="kept"):
    event_id: str
    at: datetime


class Held(Event, tag="held"):
    event_id: str
    at: datetime


class Made(NormalizedEvent):
    pass


class Keeps(Executor[Kept, Made]):
    def process(self, event: Kept) -> Made:
        return Made(event_id=event.event_id, event_time=event.at)


class Breaks(Executor[Held, Made]):
    def open(self, artifacts: object) -> None:
        raise AssertionError("the executor of a parked type was made")

    def process(self, event: Held) -> Made:
        raise AssertionError("the executor of a parked type was asked")


def run(batch: Batch) -> Outcomes:
    return run_in_place(Worker(spec_of([Keeps, Breaks]), parked={"held"}).steps(batch), {}, SystemClock())


def test_json_records_that_decode_and_those_that_do_not() -> None:
    values = [
        b'{"event_type":"held","event_id":"a","at":"2026-01-01T00:00:00Z"}',
        b'{"event_type":"kept","event_id":"b","at":"2026-01-01T00:00:00Z"}',
        b'{"event_type":"held","event_id":1}',
        b'{"event_type":"held","event_id":"c","at":"2026-01-01T00:00:00Z"}',
        b"no json",
    ]
    found = run(RawBatch(values, "t/0", np.arange(5, dtype=np.int64)))
    assert found.parked["held"].tolist() == [0, 2, 3]
    assert found.emitted["kept"].parents.tolist() == [1]
    assert [reject.index for reject in found.rejects] == [4]
    counts = found.counts()
    assert counts["held"] == Counts(read=3, parked=3)
    assert all(each.balanced() for each in counts.values())
    assert judged_inputs(counts) == {"held": 0, "kept": 1, "_undecoded": 2}


def test_typed_columns() -> None:
    columns = pa.record_batch(
        {
            "event_type": ["held", "kept", "held"],
            "event_id": ["a", "b", None],
            "at": pa.array([AT] * 3, pa.timestamp("us", tz="UTC")),
        }
    )
    found = run(TypedBatch(columns, "f", np.arange(3, dtype=np.int64)))
    assert found.parked["held"].tolist() == [0, 2]
    assert found.emitted["kept"].parents.tolist() == [1]
    assert not found.rejects
