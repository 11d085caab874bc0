"""Properties of any input: JSON and columns agree, both forms agree, one outcome each, batches split anywhere."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timezone
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tests.support.engine_inputs import raw
from tests.support.rich_events import (
    BOUNDED,
    COPIED,
    EVENTS,
    GOOD,
    JSON,
    ODD,
    OFFSETS,
    SCHEMA,
    Colour,
    Columns,
    Place,
    Rich,
    RichRow,
    Rows,
    as_json,
    mutated,
)
from trivium import Executor
from trivium.config.worker_spec import spec_of
from trivium.engine.batch import RawBatch, TypedBatch
from trivium.engine.blocking import BlockingWorker
from trivium.engine.outcomes import Outcomes

ROWS, COLUMNS = (BlockingWorker(spec_of([form]), {}) for form in (Rows, Columns))


def as_columns(events: list[dict[str, Any]]) -> TypedBatch:
    rows = [{"event_type": "rich", **event} for event in events]
    arrays = []
    for field in SCHEMA:
        values = [row.get(field.name) for row in rows]
        plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        column = pa.array(values, plain)
        arrays.append(column.dictionary_encode().cast(field.type) if plain != field.type else column)
    columns = pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
    return TypedBatch(columns, "t/0", np.arange(len(events), dtype=np.int64))


def content(out: Outcomes, offset: int = 0) -> tuple[dict[int, list[Any]], set[tuple[int, str]], set[int]]:
    """Emitted rows by input, rejected inputs with their stage, dropped inputs: without the time of the run."""
    emitted: dict[int, list[Any]] = {}
    for each in out.emitted.values():
        rows = each.rows.drop_columns(["_ingested_at", "_logic", "_plan"]).to_pylist()
        for parent, row in zip(each.parents.tolist(), rows, strict=True):
            emitted.setdefault(parent + offset, []).append(row)
    rejected = {(reject.index + offset, reject.stage) for reject in out.rejects}
    dropped = {int(row) + offset for rows in out.dropped.values() for row in rows}
    assert len(rejected) == len(out.rejects)
    inputs = [*emitted, *(row for row, _ in rejected), *dropped]
    assert sorted(inputs) == list(range(offset, offset + out.read))
    counts = out.counts().values()
    assert all(each.balanced() for each in counts)
    assert sum(each.read for each in counts) == out.read
    return emitted, rejected, dropped


@BOUNDED
@given(st.lists(EVENTS, max_size=6), OFFSETS)
def test_two_doors_and_two_forms_give_one_answer(events: list[dict[str, Any]], offset: timezone) -> None:
    columns = as_columns(events)
    records = RawBatch([as_json(event, offset) for event in events], columns.source, columns.positions)
    answers = [content(worker.run(batch)) for worker in (ROWS, COLUMNS) for batch in (records, columns)]
    assert all(answer == answers[0] for answer in answers[1:])


RECORDS = (
    st.none() | st.just(GOOD) | st.binary(max_size=30) | mutated() | ODD | JSON.map(lambda v: json.dumps(v).encode())
)


@BOUNDED
@given(st.lists(RECORDS, max_size=8))
def test_any_bytes_have_one_outcome_in_both_forms(values: list[bytes | None]) -> None:
    by_rows, by_columns = (content(worker.run(raw(*values))) for worker in (ROWS, COLUMNS))
    assert by_rows == by_columns


@BOUNDED
@given(st.lists(RECORDS, max_size=8), st.lists(st.integers(0, 8), max_size=3))
def test_a_batch_may_be_split_anywhere(values: list[bytes | None], cuts: list[int]) -> None:
    whole = content(ROWS.run(raw(*values)))
    edges = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    parts: tuple[dict[int, Any], set[Any], set[int]] = ({}, set(), set())
    for start, end in pairwise(edges):
        positions = np.arange(start, end, dtype=np.int64)
        part = content(COLUMNS.run(RawBatch(values[start:end], "topic/0", positions)), start)
        for total, piece in zip(parts, part, strict=True):
            total.update(piece)  # type: ignore[attr-defined]
    assert parts == whole


RETURNED = st.sampled_from([
    None, 1, -1, 2**70, 1.5, float("nan"), True, "", "\ud800", b"x", Decimal("1E-9999999"), Decimal("NaN"), (), (1,),
    [None], {}, {1}, object, Colour.RED, Place(name="x"), Place(name=1), datetime(2024, 1, 1),  # type: ignore[arg-type]  # noqa: DTZ001
    datetime(2024, 1, 1, tzinfo=UTC), date(2024, 1, 1), np.int8(3), np.datetime64("2024-01-01"), np.array([1]),
])  # fmt: skip


@BOUNDED
@given(
    st.lists(st.dictionaries(st.sampled_from(["event_id", "event_time", *COPIED]), RETURNED), min_size=1, max_size=5)
)
def test_whatever_an_executor_returns_has_one_outcome(returned: list[dict[str, Any]]) -> None:
    class Anything(Executor[Rich, RichRow]):
        def process(self, event: Rich) -> RichRow:
            good = {"event_id": "x", "event_time": event.at, "count": 1}
            return RichRow(**(good | returned[event.count]))

    records = [
        as_json({"id": "a", "at": datetime(2024, 1, 1, tzinfo=UTC), "count": n}, UTC) for n in range(len(returned))
    ]
    content(BlockingWorker(spec_of([Anything]), {}).run(raw(*records)))
