"""The column form: one call a batch, halved on failure until the bad rows stand alone."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.support.flow_events import column_form, emitted, every, items, lines, rejects, worker
from trivium import RejectError, RowErrors


def plain(events: pa.RecordBatch) -> Any:
    return lines(events), every(events.num_rows)


def has(events: pa.RecordBatch, *numbers: int) -> bool:
    return bool(pc.any(pc.is_in(events.column("n"), pa.array(numbers, pa.int64()))).as_py())


def test_one_call_for_a_good_batch() -> None:
    calls: list[int] = []

    def process(events: pa.RecordBatch) -> Any:
        calls.append(events.num_rows)
        return plain(events)

    out = worker(column_form(process)).run(items(range(1000)))
    assert calls == [1000]
    assert emitted(out) == list(range(1000))


def test_halving_finds_exactly_the_bad_rows() -> None:
    bad = (0, 4999, 5000, 7777, 9999)
    calls = 0

    def process(events: pa.RecordBatch) -> Any:
        nonlocal calls
        calls += 1
        if has(events, *bad):
            raise ValueError("one of these is bad")
        return plain(events)

    out = worker(column_form(process)).run(items(range(10_000)))
    assert tuple(sorted(rejects(out))) == bad
    assert emitted(out) == [n for n in range(10_000) if n not in bad]
    assert calls <= 2 * len(bad) * math.ceil(math.log2(10_000))


def test_row_errors_name_rows_and_the_rest_runs_once_more() -> None:
    calls = 0

    def process(events: pa.RecordBatch) -> Any:
        nonlocal calls
        calls += 1
        odd = np.flatnonzero(events.column("n").to_numpy() % 2)
        if len(odd):
            raise RowErrors({int(row): f"{events.column('n')[int(row)]} is odd" for row in odd})
        return plain(events)

    out = worker(column_form(process)).run(items(range(10)))
    found = rejects(out)
    assert {row: reject.error for row, reject in found.items()} == {
        n: f"RejectError: {n} is odd" for n in range(1, 10, 2)
    }
    assert emitted(out) == [0, 2, 4, 6, 8]
    assert calls == 2


def test_row_errors_for_every_row() -> None:
    def process(events: pa.RecordBatch) -> Any:
        raise RowErrors({row: KeyError("k") for row in range(events.num_rows)})

    assert {r.reason for r in rejects(worker(column_form(process)).run(items(range(3)))).values()} == {"KeyError"}


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ({}, "RowErrors without rows"),
        ({3: "x"}, "expected rows 0 to 2, got [3]"),
        ({-1: "x"}, "got [-1]"),
        ({"a": "x"}, "got"),
    ],
)
def test_row_errors_that_name_no_row_of_the_batch(errors: Any, said: str) -> None:
    def process(events: pa.RecordBatch) -> Any:
        raise RowErrors(errors)

    found = rejects(worker(column_form(process)).run(items(range(3))))
    assert sorted(found) == [0, 1, 2]
    assert all(said in reject.error for reject in found.values())


def test_row_errors_after_halving_count_rows_of_the_half() -> None:
    def process(events: pa.RecordBatch) -> Any:
        if events.num_rows > 4:
            raise ValueError("too many")
        bad = np.flatnonzero(events.column("n").to_numpy() == 6)
        if len(bad):
            raise RowErrors({np.int64(bad[0]): "six"})
        return plain(events)

    out = worker(column_form(process)).run(items(range(8)))
    assert {row: reject.error for row, reject in rejects(out).items()} == {6: "RejectError: six"}
    assert emitted(out) == [0, 1, 2, 3, 4, 5, 7]


def broken(**columns: Any) -> Any:
    """The plain rows with some columns replaced (None takes one away)."""

    def process(events: pa.RecordBatch) -> Any:
        made = dict(zip(lines(events).schema.names, lines(events).columns, strict=True)) | columns
        return pa.RecordBatch.from_pydict({n: c for n, c in made.items() if c is not None}), every(events.num_rows)

    return process


def parents(given: Any) -> Any:
    return lambda events: (lines(events), given)


WRONG: dict[str, tuple[Any, str]] = {
    "nothing": (lambda events: None, "process_batch returned NoneType; expected (RecordBatch, parents)"),
    "no parents": (lines, "process_batch returned RecordBatch"),
    "a table": (lambda events: (pa.Table.from_batches([lines(events)]), every(events.num_rows)), "as Table"),
    "a list of rows": (lambda events: ([], every(0)), "as list"),
    "no rows": (lambda events: (None, every(0)), "as NoneType"),
    "a column too many": (broken(x=pa.array([1])), "columns ['x'], which Line does not declare"),
    "a column missing": (broken(n=None), "column n: it is missing"),
    "a column of floats": (broken(n=pa.array([1.0])), "column n: expected int64, got double"),
    "naive times": (broken(event_time=pa.array([0], pa.timestamp("us"))), "column event_time: timestamps without"),
    "times as text": (broken(event_time=pa.array(["2024"])), "column event_time: expected timestamp"),
    "parents as floats": (parents(np.array([0.0])), "expected 1 integers, got 1 of float64"),
    "parents as bools": (parents(np.array([True])), "expected 1 integers"),
    "parents with null": (parents(pa.array([None], pa.int32())), "expected 1 integers"),
    "parents too few": (parents(np.array([], np.int32)), "expected 1 integers, got 0"),
    "parents below": (parents(np.array([-1])), "expected rows 0 to 0, got -1"),
    "parents above": (parents(np.array([1])), "expected rows 0 to 0, got 1"),
    "parents as None": (parents(None), "parents: expected 1 integers, got NoneType"),
    "exit": (lambda events: sys.exit(1), "the executor called exit: 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_breaks_the_contract_is_a_reject_that_says_so(name: str) -> None:
    process, said = WRONG[name]
    (reject,) = rejects(worker(column_form(process)).run(items([1]))).values()
    assert said in reject.error
    assert (reject.stage, reject.event_type) == ("process", "item")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"n": pa.array([0, None, 2])}, "n: a value is required, got null"),
        ({"event_id": pa.array(["a", None, "c"])}, "event_id: a value is required"),
        ({"event_time": pa.array([0, 2**62, 0]).cast(pa.timestamp("us", "UTC"))}, "event_time: the time lies outside"),
        ({"event_time": pa.array([0, 1, 0]).cast(pa.timestamp("ns", "UTC"))}, "event_time: a time has digits below"),
        ({"n": pa.array([0, 2**64 - 1, 2], pa.uint64())}, "n: expected an int from"),
    ],
)
def test_a_bad_value_is_alone(columns: dict[str, pa.Array], said: str) -> None:
    found = rejects(worker(column_form(broken(**columns))).run(items(range(3))))
    assert list(found) == [1]
    assert (found[1].stage, found[1].reason) == ("validate", "invalid_row")
    assert said in found[1].error


def test_parents_in_any_order_and_integer_type() -> None:
    def process(events: pa.RecordBatch) -> Any:
        order = pa.array([3, 0, 3, 1], pa.uint16())
        rows = lines(events).take(order)
        return rows.set_column(0, "event_id", pa.array(["d1", "a", "d2", "b"])), order

    out = worker(column_form(process)).run(items(range(4)))
    assert emitted(out, "event_id") == ["a", "b", "d1", "d2"]
    assert emitted(out, "_row") == [0, 0, 0, 1]
    assert emitted(out, "_position") == [0, 1, 3, 3]
    assert out.dropped["item"].tolist() == [2]


def test_halves_may_differ_in_the_types_they_infer() -> None:
    """`pa.array([None])` has no type: a half without values must not undo the other."""

    def process(events: pa.RecordBatch) -> Any:
        if has(events, 3):
            raise ValueError("bad")
        numbers = events.column("n").to_pylist()
        times = lines(events).column("event_time")
        key = pa.array([None if n < 2 else n for n in numbers])
        rows = {"event_id": pa.array([str(n) for n in numbers]), "event_time": times, "n": key}
        return pa.RecordBatch.from_pydict(rows), every(events.num_rows)

    out = worker(column_form(process)).run(items(range(4)))
    assert sorted(rejects(out)) == [0, 1, 3]
    assert emitted(out) == [2]


def test_halves_that_give_no_rows_at_all() -> None:
    def process(events: pa.RecordBatch) -> Any:
        if has(events, 1):
            raise ValueError("bad")
        return lines(events).slice(0, 0), every(0)

    out = worker(column_form(process)).run(items(range(4)))
    assert list(rejects(out)) == [1]
    assert out.dropped["item"].tolist() == [0, 2, 3]


def test_a_batch_too_large_for_memory_is_halved() -> None:
    def process(events: pa.RecordBatch) -> Any:
        if events.num_rows > 2:
            raise MemoryError
        return plain(events)

    assert emitted(worker(column_form(process)).run(items(range(8)))) == list(range(8))


def test_a_reject_error_rejects_its_row() -> None:
    def process(events: pa.RecordBatch) -> Any:
        if has(events, 1):
            raise RejectError("no such place")
        return plain(events)

    found = rejects(worker(column_form(process)).run(items(range(3))))
    assert {row: reject.error for row, reject in found.items()} == {1: "RejectError: no such place"}
