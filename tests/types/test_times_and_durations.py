"""Times of day and durations: what is taken, in JSON and in columns, and how rows and answers show it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from tests.support.pipelines import pipeline_of
from trivium import Event, Executor, NormalizedEvent
from trivium.engine.batch import RawBatch, TypedBatch
from trivium.engine.blocking import BlockingRequests, BlockingWorker
from trivium.engine.requests.worker import encode
from trivium.samples.harness import plain_row
from trivium.types.column_types import type_problem
from trivium.types.conform import conform
from trivium.types.rows import row_fields

MOMENT: Final = datetime(2024, 1, 1, tzinfo=UTC)
AT: Final = np.zeros(1, np.int64)


class Ran(Event, tag="ran"):
    start: time
    took: timedelta
    laps: tuple[timedelta, ...] = ()


class Run(NormalizedEvent):
    start: time
    took: timedelta
    laps: tuple[timedelta, ...] = ()


class Rows(Executor[Ran, Run]):
    def process(self, event: Ran) -> Run:
        assert (type(event.start), type(event.took)) == (time, timedelta)
        return Run(event_id="1", event_time=MOMENT, start=event.start, took=event.took, laps=event.laps)


class Zoned(Executor[Ran, Run]):
    def process(self, event: Ran) -> Run:
        return Run(event_id="1", event_time=MOMENT, start=event.start.replace(tzinfo=UTC), took=event.took)


class Endless(Executor[Ran, Run]):
    def process(self, event: Ran) -> Run:
        return Run(event_id="1", event_time=MOMENT, start=event.start, took=timedelta.max)


START, TOOK = row_fields(Ran)[:2]


def record(start: str = "09:30:00", took: str = "PT1.5S") -> bytes:
    return json.dumps({"event_type": "ran", "start": start, "took": took, "laps": [took]}).encode()


@pytest.mark.parametrize(
    ("start", "text"),
    [("09:30:00", "09:30:00"), ("09:30:00.25", "09:30:00.250000"), ("23:59:59.000000", "23:59:59")],
)
def test_rows_hold_text_and_microseconds(start: str, text: str) -> None:
    spec = pipeline_of([Rows]).worker_spec
    moment = time.fromisoformat(start)
    typed = {
        "event_type": ["ran"],
        "start": pa.array([moment], pa.time64("ns")),
        "took": pa.array([timedelta(seconds=1.5)], pa.duration("ms")),
        "laps": pa.array([[1_500_000]], pa.list_(pa.int64())),
    }
    plain = {**typed, "start": [start]}
    columns = [pa.RecordBatch.from_pydict(each) for each in (typed, plain)]
    for batch in (RawBatch([record(start)], "t/0", AT), *(TypedBatch(each, "t/0", AT) for each in columns)):
        (emitted,) = BlockingWorker(spec, {}).run(batch).emitted.values()
        (row,) = emitted.rows.select(["start", "took", "laps"]).to_pylist()
        assert row == {"start": text, "took": 1_500_000, "laps": [1_500_000]}
    (answer,) = json.loads(encode(BlockingRequests(spec, {}).answer(b"[" + record(start) + b"]", max_events=1)))
    shown = answer["rows"][0]
    assert (shown["start"], shown["took"], shown["laps"]) == (text, "PT1.5S", ["PT1.5S"])
    assert {name: plain_row(shown, Rows.declaration)[name] for name in row} == row


@pytest.mark.parametrize(
    ("start", "took"),
    [
        ("09:30:00Z", "P0D"), ("24:00:00", "P0D"), ("09:30", "P0D"), ("09:30:00.1234567", "P0D"), ("", "P0D"),
        ("09:30:00", "PT0.0000001S"), ("09:30:00", "P1Y"), ("09:30:00", "P106751992D"), ("09:30:00", ""),
    ],
)  # fmt: skip
def test_a_record_with_anything_else_is_rejected(start: str, took: str) -> None:
    (reject,) = (
        BlockingWorker(pipeline_of([Rows]).worker_spec, {}).run(RawBatch([record(start, took)], "t/0", AT)).rejects
    )
    assert reject.stage == "decode"


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array(["09:30:00", "9:30"]), "expected a time of day without a zone"),
        (pa.array(["09:30:00", "09:30:00+02:00"]), "expected a time of day without a zone"),
        (pa.array(["09:30:00", "09:30:00.0000000"]), "a time has digits below a microsecond"),
        (pa.array([34_200_000_000_000, 1], pa.int64()).cast(pa.time64("ns")), "a time has digits below a microsecond"),
        (pa.array([34_200, 86_400], pa.int32()).view(pa.time32("s")), "the time of day lies outside of a day"),
        (pa.array([34_200_000_000, -1], pa.int64()).view(pa.time64("us")), "the time of day lies outside of a day"),
    ],
)
def test_a_column_with_what_is_no_time_of_day_is_rejected(column: pa.Array, reason: str) -> None:
    conformed = conform(column, START)
    assert conformed.column.to_pylist() == ["09:30:00", None]
    assert [(mask.tolist(), why) for mask, why in conformed.flaws] == [([False, True], reason)]


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([7_000, 7_001], pa.duration("ns")), "a duration has digits below a microsecond"),
        (pa.array([0, 2**62], pa.duration("s")), "the duration does not fit 64 bits of microseconds"),
        (pa.array([7, 2**63], pa.uint64()), "the duration does not fit 64 bits of microseconds"),
    ],
)
def test_a_column_with_what_is_no_duration_is_rejected(column: pa.Array, reason: str) -> None:
    conformed = conform(column, TOOK)
    assert conformed.column.null_count == 1
    assert [(mask.tolist(), why) for mask, why in conformed.flaws] == [([False, True], reason)]


def test_the_greatest_and_the_least_duration_go_both_ways() -> None:
    ends = pa.array([-(2**63), 2**63 - 1], pa.duration("us"))
    assert conform(ends, TOOK).column.to_pylist() == [-(2**63), 2**63 - 1]
    assert not conform(ends, TOOK).flaws


@pytest.mark.parametrize(
    ("executor", "said"),
    [(Zoned, "a time of day has no time zone"), (Endless, "does not fit 64 bits of microseconds")],
)
def test_a_row_with_a_value_without_a_place_is_rejected(executor: Any, said: str) -> None:
    (reject,) = BlockingWorker(pipeline_of([executor]).worker_spec, {}).run(RawBatch([record()], "t/0", AT)).rejects
    assert reject.stage == "validate"
    assert said in reject.error
    (answer,) = json.loads(
        encode(BlockingRequests(pipeline_of([executor]).worker_spec, {}).answer(record(), max_events=1))
    )
    assert answer["outcome"] == "rejected"


def test_other_columns_are_one_problem() -> None:
    assert type_problem(pa.int64(), START.type) == "expected a time of day or its text, got int64"
    assert type_problem(pa.string(), TOOK.type) == "expected a duration or its microseconds, got string"
    assert type_problem(pa.float64(), TOOK.type) == "expected a duration or its microseconds, got double"


def test_texts_of_times_sort_as_the_times_do() -> None:
    times = [
        time(0),
        time(9, 30),
        time(9, 30, 0, 1),
        time(9, 30, 0, 500_000),
        time(9, 30, 1),
        time(23, 59, 59, 999_999),
    ]
    texts = [each.isoformat() for each in times]
    assert sorted(texts) == texts


def test_json_has_iso_8601() -> None:
    assert msgspec.json.encode(timedelta(days=-1)) == b'"-P1D"'
