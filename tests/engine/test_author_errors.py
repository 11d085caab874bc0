"""Whatever an author's code raises is the reject of its row: in both forms, in accepts and in is_retryable."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from tests.support.flow_events import column_form, emitted, every, items, line, lines, rejects, row_form, worker
from tests.support.hostile_errors import ERRORS, ROW_ERRORS, raising
from tests.support.letter_text import read_back
from trivium import Executor, RejectError, RetryPolicy, RowErrors
from trivium.config.worker_spec import spec_of
from trivium.core.error_text import MOST_CHARACTERS
from trivium.core.errors import RunError
from trivium.engine.blocking import BlockingRequests
from trivium.engine.outcomes import Reject

BAD = 2
COUNT = 5


def row_executor(fail: Any, **members: Any) -> type[Executor[Any, Any]]:
    return row_form(lambda event: fail() if event.n == BAD else line(event), **members)


def column_executor(fail: Any) -> type[Executor[Any, Any]]:
    def process(events: pa.RecordBatch) -> Any:
        return fail() if BAD in events.column("n").to_pylist() else (lines(events), every(events.num_rows))

    return column_form(process)


def one_reject(executor: type[Executor[Any, Any]]) -> Reject:
    """The only reject of a run of a few events, of which one is bad; its dead letter can be written and read."""
    batch = items(range(COUNT))
    out = worker(executor).run(batch)
    found = rejects(out)
    assert list(found) == [BAD]
    assert emitted(out) == [n for n in range(COUNT) if n != BAD]
    assert read_back(found[BAD], batch) == found[BAD].error
    assert len(found[BAD].error) <= MOST_CHARACTERS
    assert msgspec.json.decode(msgspec.json.encode(found[BAD].error)) == found[BAD].error
    return found[BAD]


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("form", [row_executor, column_executor])
def test_an_error_of_any_kind_rejects_its_row(name: str, form: Any) -> None:
    fail, reason, text = ERRORS[name]
    reject = one_reject(form(fail))
    assert (reject.stage, reject.event_type, reject.attempts) == ("process", "item", 1)
    assert reject.reason.startswith(reason)
    assert text in reject.error


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_any_kind_in_accepts_rejects_its_row(name: str) -> None:
    fail, reason, text = ERRORS[name]
    reject = one_reject(row_form(line, accepts=lambda self, event: fail() if event.n == BAD else True))
    assert reject.stage == "accept"
    assert reject.reason.startswith(reason)
    assert text in reject.error


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_any_kind_in_is_retryable_means_no(name: str) -> None:
    fail, _, _ = ERRORS[name]
    executor = row_executor(raising(lambda: KeyError("x")), is_retryable=lambda self, error: fail())
    run = worker(executor, retry=RetryPolicy(attempts=3, first_delay_seconds=0.01))
    (reject,) = rejects(run.run(items(range(COUNT)))).values()
    assert (reject.error, reject.attempts) == ("KeyError: 'x'", 1)


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_any_kind_is_tried_again_if_the_executor_says_so(name: str) -> None:
    fail, reason, text = ERRORS[name]
    executor = row_executor(fail, is_retryable=lambda self, error: True)
    run = worker(executor, retry=RetryPolicy(attempts=3, first_delay_seconds=0.01))
    (reject,) = rejects(run.run(items(range(COUNT)))).values()
    assert (reject.index, reject.attempts) == (BAD, 3)
    assert reject.reason.startswith(reason)
    assert text in reject.error


@pytest.mark.parametrize("name", ERRORS)
def test_a_request_gets_the_same_answer(name: str) -> None:
    fail, reason, text = ERRORS[name]
    requests = BlockingRequests(spec_of([row_executor(fail)], retry=RetryPolicy(attempts=1)), {})
    good, bad = (requests.answer(items([n]).values[0] or b"")[0] for n in (1, BAD))
    assert (good.outcome, bad.outcome) == ("emitted", "rejected")
    assert (bad.reason or "").startswith(reason)
    assert text in (bad.error or "")
    assert msgspec.json.decode(msgspec.json.encode(bad))["error"] == bad.error


@pytest.mark.parametrize("name", ROW_ERRORS)
def test_a_reason_of_row_errors_of_any_kind(name: str) -> None:
    reason, text = ROW_ERRORS[name]

    def process(events: pa.RecordBatch) -> Any:
        if bad := [at for at, n in enumerate(events.column("n").to_pylist()) if n == BAD]:
            raise RowErrors(dict.fromkeys(bad, reason))
        return lines(events), every(events.num_rows)

    assert text in one_reject(column_form(process)).error


@pytest.mark.parametrize("errors", [None, 7, [1], {"0": "x"}, {-1: "x"}, {9: "x"}, {0.0: "x"}, {None: "x"}])
def test_row_errors_that_name_no_rows_reject_what_they_were_raised_for(errors: Any) -> None:
    def process(events: pa.RecordBatch) -> Any:
        error = RowErrors({})
        error.errors = errors
        raise error

    found = rejects(worker(column_form(process)).run(items(range(3))))
    assert sorted(found) == [0, 1, 2]
    assert {each.stage for each in found.values()} == {"process"}


class Broken(list[Any]):
    def __iter__(self) -> Any:
        raise KeyError("no rows")


def test_what_is_returned_may_fail_too() -> None:
    reject = one_reject(row_executor(lambda: Broken([1])))
    assert reject.error == "KeyError: 'no rows'"


@pytest.mark.parametrize("name", ERRORS)
def test_an_executor_that_does_not_open_says_so(name: str) -> None:
    fail, _, text = ERRORS[name]
    with pytest.raises(RunError, match="the executor of item did not open: ") as caught:
        worker(row_form(line, open=lambda self, artifacts: fail()))
    assert text.removeprefix("the executor ").removeprefix("raised ").removeprefix("called exit: ") in str(caught.value)
    assert str(caught.value).endswith("Try: correct its open()")


def interrupting() -> None:
    """Ctrl-C, as this process gets it from its terminal."""
    os.kill(os.getpid(), signal.SIGINT)


def swallowing() -> Any:
    try:
        interrupting()
    except BaseException:  # noqa: BLE001 - what a careless author writes
        return None


def renaming() -> Any:
    try:
        interrupting()
    except BaseException as error:
        raise RejectError("in other words") from error


INTERRUPTS: dict[str, Any] = {"interrupting": interrupting, "swallowing": swallowing, "renaming": renaming}


@pytest.mark.parametrize("name", INTERRUPTS)
@pytest.mark.parametrize("form", [row_executor, column_executor])
def test_an_interrupt_of_the_process_is_no_reject(name: str, form: Any) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        worker(form(INTERRUPTS[name])).run(items(range(COUNT)))
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_of_the_process_reaches_it_from_accepts_is_retryable_open_and_requests() -> None:
    fail = INTERRUPTS["interrupting"]
    runs = [
        lambda: worker(row_form(line, accepts=lambda self, event: fail())).run(items([1])),
        lambda: worker(
            row_executor(raising(KeyError), is_retryable=lambda self, error: fail()), retry=RetryPolicy(attempts=2)
        ).run(items([BAD])),
        lambda: worker(row_form(line, open=lambda self, artifacts: fail())),
        lambda: BlockingRequests(spec_of([row_executor(fail)]), {}).answer(items([BAD]).values[0] or b""),
    ]
    for run in runs:
        with pytest.raises(KeyboardInterrupt):
            run()


def test_a_handler_of_the_process_decides_what_a_signal_means() -> None:
    class Stop(BaseException):
        pass

    def stop(*_: Any) -> None:
        raise Stop

    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stop):
            worker(row_executor(lambda: os.kill(os.getpid(), signal.SIGTERM))).run(items(range(COUNT)))
        signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
        out = worker(row_executor(lambda: os.kill(os.getpid(), signal.SIGTERM))).run(items(range(COUNT)))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (seen, rejects(out), out.dropped["item"].tolist()) == ([signal.SIGTERM], {}, [BAD])


def test_a_thread_that_is_not_the_main_one_runs_executors_too() -> None:
    found: list[Any] = []

    def run() -> None:
        found.append(rejects(worker(row_executor(raising(KeyboardInterrupt))).run(items(range(COUNT)))))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert list(found[0]) == [BAD]


PARENTS: dict[str, tuple[Any, str]] = {
    "negative": (lambda n: np.full(n, -1), "expected rows 0 to 7, got -1 to -1"),
    "too large": (lambda n: np.arange(1, n + 1), "expected rows 0 to 7, got 1 to 8"),
    "nulls": (lambda n: pa.array([None] * n, pa.int32()), "expected 8 integers, got 8 of float64, 8 of them null"),
    "floats": (lambda n: np.arange(n) + 0.0, "expected 8 integers, got 8 of float64"),
    "bools": (lambda n: np.zeros(n, np.bool_), "expected 8 integers, got 8 of bool"),
    "text": (lambda n: ["0"] * n, "expected 8 integers, got 8 of <U1"),
    "too few": (lambda n: np.arange(n - 1), "expected 8 integers, got 7 of int64"),
    "too many": (lambda n: np.arange(n + 1), "expected 8 integers, got 9 of int64"),
    "None": (lambda n: None, "expected 8 integers, got NoneType"),
    "a number": (lambda n: 0, "expected 8 integers, got int"),
    "a column of columns": (lambda n: np.zeros((n, 1), np.int32), "expected 8 integers, got ndarray"),
    "lists": (lambda n: [[0]] * n, "expected 8 integers, got list"),
    "ragged lists": (lambda n: [[0], [0, 1]], "expected 8 integers, got list"),
    "constant": (lambda n: pa.array([0, 1]), "expected 8 integers, got 2 of int64"),
    "beyond 64 bits": (lambda n: np.full(n, 2**64 - 1, np.uint64), "expected rows 0 to 7, got 18446744073709551615"),
}


@pytest.mark.parametrize("name", PARENTS)
def test_wrong_parents_reject_the_whole_batch(name: str) -> None:
    make, said = PARENTS[name]
    out = worker(column_form(lambda events: (lines(events), make(events.num_rows)))).run(items(range(8)))
    found = rejects(out)
    assert sorted(found) == list(range(8))
    assert {(each.stage, each.reason, each.error) for each in found.values()} == {
        ("process", "ContractError", found[0].error)
    }
    assert f"ContractError: parents: {said}" in found[0].error


def test_wrong_parents_of_one_part_reject_what_other_parts_gave() -> None:
    """Halves whose parents happen to fit are not half accepted; a row's own failure stays its own."""

    def process(events: pa.RecordBatch) -> Any:
        numbers = events.column("n").to_pylist()
        if 0 in numbers:
            raise ValueError("zero")
        return lines(events), np.arange(len(numbers)) if 7 not in numbers else np.arange(1, len(numbers) + 1)

    found = rejects(worker(column_form(process)).run(items(range(8))))
    assert sorted(found) == list(range(8))
    assert {n for n, each in found.items() if "parents" in each.error} == set(range(1, 8))
    assert found[0].error == "ValueError: zero"


def test_wrong_parents_reject_what_an_earlier_attempt_gave() -> None:
    calls: list[int] = []

    def process(events: pa.RecordBatch) -> Any:
        calls.append(events.num_rows)
        if len(calls) == 1:
            raise RowErrors({3: ConnectionError()})
        return lines(events), every(events.num_rows) if len(calls) == 2 else np.array([5])

    executor = column_form(process, is_retryable=lambda self, error: isinstance(error, ConnectionError))
    found = rejects(worker(executor, retry=RetryPolicy(attempts=2)).run(items(range(4))))
    assert calls == [4, 3, 1]
    assert ["parents: expected rows 0 to 0, got 5 to 5" in found[n].error for n in range(4)] == [True] * 4


@pytest.mark.parametrize("parents", [[], pa.array([]), pa.array([], pa.int32()), np.array([])])
def test_no_rows_need_no_type_of_parents(parents: Any) -> None:
    out = worker(column_form(lambda events: (lines(events).slice(0, 0), parents))).run(items(range(3)))
    assert out.dropped["item"].tolist() == [0, 1, 2]
