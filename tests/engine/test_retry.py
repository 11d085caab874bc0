"""Transient failures run again by the policy: only the failed rows, under one deadline."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

from tests.support.flow_events import column_form, emitted, every, items, line, lines, rejects, row_form, worker
from trivium import RetryPolicy, RowErrors, TransientError
from trivium.testing import ManualClock

POLICY = RetryPolicy(attempts=4, first_delay_seconds=1.0, factor=2.0, deadline_seconds=100.0)


class Flaky:
    """Fails for some numbers, so many times each; counts every time a number is processed."""

    def __init__(self, failures: dict[int, int], error: Any = None) -> None:
        self.left, self.error, self.seen = Counter(failures), error or TransientError("busy"), Counter[int]()

    def fails(self, n: int) -> bool:
        self.seen[n] += 1
        self.left[n] -= 1
        return self.left[n] >= 0

    def row(self, event: Any) -> Any:
        if self.fails(event.n):
            raise self.error
        return line(event)

    def columns(self, events: pa.RecordBatch) -> Any:
        """Names the rows that fail."""
        failing = [row for row, n in enumerate(events.column("n").to_pylist()) if self.fails(n)]
        if failing:
            raise RowErrors(dict.fromkeys(failing, self.error))
        return lines(events), every(events.num_rows)

    def batch(self, events: pa.RecordBatch) -> Any:
        """Fails as a whole."""
        failing = [n for n in events.column("n").to_pylist() if self.fails(n)]
        if failing:
            raise self.error
        return lines(events), every(events.num_rows)


def test_row_form_runs_only_what_failed() -> None:
    flaky, clock = Flaky({1: 1, 3: 3}), ManualClock()
    out = worker(row_form(flaky.row), clock, POLICY).run(items(range(5)))
    assert emitted(out) == [0, 1, 2, 3, 4]
    assert dict(flaky.seen) == {0: 1, 1: 2, 2: 1, 3: 4, 4: 1}
    assert clock.sleeps == [1.0, 2.0, 4.0]


def test_row_form_gives_up_after_the_last_attempt() -> None:
    flaky, clock = Flaky({1: 9}), ManualClock()
    out = worker(row_form(flaky.row), clock, POLICY).run(items(range(3)))
    (reject,) = rejects(out).values()
    assert (reject.index, reject.attempts, reject.error) == (1, 4, "TransientError: busy")
    assert (emitted(out), clock.sleeps) == ([0, 2], [1.0, 2.0, 4.0])


def test_column_form_runs_only_the_named_rows_again() -> None:
    flaky, clock = Flaky({1: 1}), ManualClock()
    out = worker(column_form(flaky.columns), clock, POLICY).run(items(range(3)))
    assert emitted(out) == [0, 1, 2]
    assert flaky.seen[1] == 2
    assert clock.sleeps == [1.0]


def test_column_form_that_fails_as_a_whole_is_tried_again_as_a_whole() -> None:
    flaky, clock = Flaky({1: 2}), ManualClock()
    out = worker(column_form(flaky.batch), clock, POLICY).run(items(range(8)))
    assert emitted(out) == list(range(8))
    assert clock.sleeps == [1.0, 2.0]
    assert set(flaky.seen.values()) == {3}


def test_column_form_is_taken_apart_on_the_last_attempt() -> None:
    flaky, clock = Flaky({5: 10**6}), ManualClock()
    out = worker(column_form(flaky.batch), clock, POLICY).run(items(range(8)))
    (reject,) = rejects(out).values()
    assert (reject.index, reject.attempts) == (5, 4)
    assert emitted(out) == [0, 1, 2, 3, 4, 6, 7]


def test_unknown_errors_are_terminal() -> None:
    flaky, clock = Flaky({1: 1}, ConnectionError("lost")), ManualClock()
    (reject,) = rejects(worker(row_form(flaky.row), clock, POLICY).run(items(range(3)))).values()
    assert (reject.index, reject.attempts, reject.reason) == (1, 1, "ConnectionError")
    assert clock.sleeps == []


@pytest.mark.parametrize("form", ["row", "columns"])
def test_an_executor_says_which_errors_pass(form: str) -> None:
    def is_retryable(self: Any, error: Exception) -> bool:
        return isinstance(error, ConnectionError)

    flaky, clock = Flaky({1: 1}, ConnectionError("lost")), ManualClock()
    make = row_form if form == "row" else column_form
    out = worker(make(getattr(flaky, form), is_retryable=is_retryable), clock, POLICY).run(items(range(3)))
    assert (emitted(out), clock.sleeps) == ([0, 1, 2], [1.0])


def test_an_executor_may_call_transient_errors_terminal() -> None:
    flaky, clock = Flaky({1: 1}), ManualClock()
    made = row_form(flaky.row, is_retryable=lambda self, error: False)
    assert list(rejects(worker(made, clock, POLICY).run(items(range(3))))) == [1]
    assert clock.sleeps == []


@pytest.mark.parametrize("form", ["row", "batch"])
def test_is_retryable_that_fails_means_no(form: str) -> None:
    def is_retryable(self: Any, error: Exception) -> bool:
        raise AttributeError("code")

    flaky, clock = Flaky({1: 10**6}), ManualClock()
    make = row_form if form == "row" else column_form
    out = worker(make(getattr(flaky, form), is_retryable=is_retryable), clock, POLICY).run(items(range(3)))
    assert list(rejects(out)) == [1]
    assert (emitted(out), clock.sleeps) == ([0, 2], [])


def test_the_wait_that_was_asked_for_is_honoured() -> None:
    flaky, clock = Flaky({1: 2}, TransientError("busy", retry_after=1.5)), ManualClock()
    assert emitted(worker(row_form(flaky.row), clock, POLICY).run(items([1]))) == [1]
    assert clock.sleeps == [1.5, 2.0]


def test_no_wait_beyond_the_deadline() -> None:
    policy = RetryPolicy(attempts=10, first_delay_seconds=1.0, factor=2.0, deadline_seconds=5.0)
    flaky, clock = Flaky({1: 99}), ManualClock()
    (reject,) = rejects(worker(row_form(flaky.row), clock, policy).run(items([1]))).values()
    assert clock.sleeps == [1.0, 2.0]
    assert reject.attempts == 3


def test_an_asked_wait_beyond_the_deadline_gives_up_at_once() -> None:
    flaky, clock = Flaky({1: 99}, TransientError("busy", retry_after=1000.0)), ManualClock()
    (reject,) = rejects(worker(row_form(flaky.row), clock, POLICY).run(items([1]))).values()
    assert (clock.sleeps, reject.attempts) == ([], 1)


def test_time_spent_working_counts_against_the_deadline() -> None:
    clock = ManualClock()

    def slow(event: Any) -> Any:
        clock.seconds += 60.0
        raise TransientError("slow")

    (reject,) = rejects(worker(row_form(slow), clock, POLICY).run(items([1]))).values()
    assert reject.attempts == 2


def test_rows_keep_the_order_of_their_inputs_after_retries() -> None:
    out = worker(row_form(Flaky({0: 2, 2: 1}).row), ManualClock(), POLICY).run(items(range(4)))
    assert emitted(out) == [0, 1, 2, 3]
    assert out.emitted["item"].parents.tolist() == [0, 1, 2, 3]
