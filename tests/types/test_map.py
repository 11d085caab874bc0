"""Maps: the order of their pairs, keys that stand twice, and what is refused, in JSON and in columns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import numpy as np
import pyarrow as pa
import pytest

from tests.support.pipelines import pipeline_of
from trivium import ContractError, Event, Executor, Meta, NormalizedEvent, Row
from trivium.engine.batch import RawBatch, TypedBatch
from trivium.engine.blocking import BlockingRequests, BlockingWorker
from trivium.engine.requests.worker import encode
from trivium.types.column_types import type_problem
from trivium.types.conform import conform
from trivium.types.rows import row_fields

MOMENT: Final = datetime(2024, 1, 1, tzinfo=UTC)
TEXTS: Final = pa.map_(pa.string(), pa.int32())


class Sold(Event, tag="sold"):
    counts: dict[str, int]
    first: str | None = None


class Sale(NormalizedEvent):
    counts: dict[str, int]
    first: str | None = None


class Rows(Executor[Sold, Sale]):
    def process(self, event: Sold) -> Sale:
        backwards = dict(reversed(event.counts.items()))
        return Sale(event_id="1", event_time=MOMENT, counts=backwards, first=next(iter(event.counts), None))


class Columns(Executor[Sold, Sale]):
    def process_batch(self, events: pa.RecordBatch) -> Any:
        counts = events.column("counts").to_pylist()
        made = {
            "event_id": pa.array(["1"] * len(counts)),
            "event_time": pa.array([MOMENT] * len(counts), pa.timestamp("us", "UTC")),
            "counts": pa.array([pairs[::-1] for pairs in counts], pa.map_(pa.large_string(), pa.int64())),
            "first": pa.array([pairs[0][0] if pairs else None for pairs in counts]),
        }
        return pa.RecordBatch.from_pydict(made), np.arange(len(counts), dtype=np.int32)


class Limited(Row):
    counts: Annotated[dict[Annotated[str, Meta(max_length=2)], Annotated[int, Meta(ge=0)]], Meta(max_length=2)]


class Outer(Row):
    inner: tuple[dict[str, int | None], ...]


LIMITED: Final = row_fields(Limited)[0]


@pytest.mark.parametrize("executor", [Rows, Columns])
def test_pairs_are_in_the_order_of_their_keys_and_the_last_of_a_key_counts(executor: Any) -> None:
    spec = pipeline_of([executor]).worker_spec
    record = '{"event_type":"sold","counts":{"é":"no number","b":1,"é":3,"Z":2}}'.encode()
    pairs = [("é", 0), ("b", 1), ("é", 3), ("Z", 2)]
    columns = pa.RecordBatch.from_pydict({"event_type": ["sold"], "counts": pa.array([pairs], TEXTS)})
    position = np.zeros(1, np.int64)
    for batch in (RawBatch([record], "t/0", position), TypedBatch(columns, "t/0", position)):
        (emitted,) = BlockingWorker(spec, {}).run(batch).emitted.values()
        assert emitted.rows.column("counts").to_pylist() == [[("Z", 2), ("b", 1), ("é", 3)]]
        assert emitted.rows.column("first").to_pylist() == ["Z"]
    (answer,) = json.loads(encode(BlockingRequests(spec, {}).answer(b"[" + record + b"]", max_events=1)))
    assert list(answer["rows"][0]["counts"].items()) == [("Z", 2), ("b", 1), ("é", 3)]


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([("abc", 1)], "a key: expected a length <= 2"),
        ([("a", -1)], "a value: expected an int from 0 to 9223372036854775807"),
        ([("a", None)], "a value: a value is required, got null"),
        ([("a", 1), ("b", 1), ("c", 1)], "expected a length <= 2"),
    ],
)
def test_keys_values_and_lengths_are_held_to_their_limits(pairs: list[Any], reason: str) -> None:
    good = [("a", 1), ("a", 2), ("b", 3)]
    conformed = conform(pa.array([good, pairs, [], good], TEXTS)[1:], LIMITED)
    assert conformed.column.to_pylist() == [None, [], [("a", 2), ("b", 3)]]
    assert [(mask.tolist(), why) for mask, why in conformed.flaws] == [([True, False, False], reason)]


def test_entries_under_a_null_do_not_count() -> None:
    keys, items = pa.array(["b", "a", "c"]), pa.array([1, 2, 3], pa.int32())
    column = pa.MapArray.from_arrays(
        pa.array([0, 2, 3], pa.int32()), keys, items, type=TEXTS, mask=pa.array([True, False])
    )
    (field,) = row_fields(Limited)
    assert conform(column, field).column.to_pylist() == [None, [("c", 3)]]


def test_columns_that_are_no_maps_of_text_are_one_problem() -> None:
    assert type_problem(pa.map_(pa.int8(), pa.int64()), LIMITED.type) == "keys: expected string, got int8"
    assert type_problem(pa.map_(pa.string(), pa.float64()), LIMITED.type) == "expected int64, got double"
    assert type_problem(pa.string(), LIMITED.type) == "expected map<string, int64>, got string"


def test_keys_that_are_no_text_are_named() -> None:
    class Numbered(Row):
        names: dict[int, str]

    with pytest.raises(ContractError, match=r"Numbered\.names: keys of a map are text"):
        row_fields(Numbered)


def test_a_row_with_a_key_that_is_no_text_is_refused() -> None:
    class Wrong(Executor[Sold, Sale]):
        def process(self, event: Sold) -> Sale:
            return Sale(event_id="1", event_time=MOMENT, counts={1: 1})  # type: ignore[dict-item]

    batch = RawBatch([b'{"event_type":"sold","counts":{}}'], "t/0", np.zeros(1, np.int64))
    (reject,) = BlockingWorker(pipeline_of([Wrong]).worker_spec, {}).run(batch).rejects
    assert reject.error.startswith("counts: expected map<string, int64>, got {1: 1} (dict): ")


def test_what_is_declared_of_values_is_shown() -> None:
    (spec,) = row_fields(Outer)
    assert str(spec.type.declared) == "list<item: map<string, int64> not null>"


def test_an_empty_map_is_emitted_as_one() -> None:
    spec = pipeline_of([Rows]).worker_spec
    record = b'{"event_type":"sold","counts":{}}'
    (emitted,) = BlockingWorker(spec, {}).run(RawBatch([record], "t/0", np.zeros(1, np.int64))).emitted.values()
    assert emitted.rows.column("counts").to_pylist() == [[]]
    (answer,) = json.loads(encode(BlockingRequests(spec, {}).answer(b"[" + record + b"]", max_events=1)))
    assert answer["rows"][0]["counts"] == {}
