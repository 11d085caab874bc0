"""The row form: every event on its own, whatever its neighbours do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.support.flow_events import Item, Line, emitted, items, line, rejects, row_form, worker
from trivium import Event, Executor, RejectError, RowErrors


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def recurse(event: Any) -> Any:
    return recurse(event)


def leave(_event: Any) -> Any:
    raise SystemExit(3)


def raising(error: BaseException) -> Any:
    def process(_event: Any) -> Any:
        raise error

    return process


BAD: dict[str, tuple[Any, str, str]] = {
    "an error": (raising(KeyError("x")), "KeyError", "KeyError: 'x'"),
    "an error without text": (raising(ValueError()), "ValueError", "ValueError"),
    "an error that cannot be printed": (raising(Unprintable()), "Unprintable", "Unprintable"),
    "a reject": (raising(RejectError("no such airport")), "RejectError", "RejectError: no such airport"),
    "RowErrors": (raising(RowErrors({0: "x"})), "RowErrors", "RowErrors: 1 rows rejected: row 0: x"),
    "StopIteration": (raising(StopIteration()), "StopIteration", "StopIteration"),
    "exit": (leave, "RejectError", "RejectError: the executor called exit: 3"),
    "recursion": (recurse, "RecursionError", "RecursionError: maximum recursion depth"),
    "another class": (lambda event: event, "ContractError", "expected Line, several, or None"),
    "a dict": (lambda event: {"n": 1}, "ContractError", "process returned dict"),
    "a generator": (lambda event: (line(event) for _ in range(2)), "ContractError", "process returned generator"),
    "a mixed list": (lambda event: [line(event), None], "ContractError", "process returned NoneType"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_alone(name: str) -> None:
    process, reason, text = BAD[name]
    out = worker(row_form(lambda event: process(event) if event.n == 2 else line(event))).run(items(range(5)))
    (reject,) = rejects(out).values()
    assert (reject.index, reject.stage, reject.reason, reject.attempts) == (2, "process", reason, 1)
    assert text in reject.error
    assert reject.event_type == "item"
    assert emitted(out) == [0, 1, 3, 4]


@pytest.mark.parametrize("name", BAD)
def test_nothing_but_bad_rows(name: str) -> None:
    out = worker(row_form(BAD[name][0])).run(items(range(3)))
    assert (list(rejects(out)), emitted(out)) == ([0, 1, 2], [])


def test_none_drops_and_several_rows_keep_their_order() -> None:
    def process(event: Any) -> Any:
        return [line(event, event_id=f"{event.n}.{k}") for k in range(event.n)] if event.n != 1 else None

    out = worker(row_form(process)).run(items([3, 1, 0, 2]))
    assert emitted(out, "event_id") == ["3.0", "3.1", "3.2", "2.0", "2.1"]
    assert emitted(out, "_row") == [0, 1, 2, 0, 1]
    assert emitted(out, "_position") == [0, 0, 0, 3, 3]
    assert out.dropped["item"].tolist() == [1, 2]
    counts = out.counts()["item"]
    assert (counts.read, counts.emitted_inputs, counts.emitted_rows, counts.dropped) == (4, 2, 5, 2)


def test_a_tuple_of_rows() -> None:
    out = worker(row_form(lambda event: (line(event),))).run(items([7]))
    assert emitted(out) == [7]


def test_accepts_drops_before_processing_and_rejects_when_it_fails() -> None:
    def accepts(self: Any, event: Any) -> bool:
        if event.n == 3:
            raise SystemExit("no")
        return bool(10 // event.n > 2)

    out = worker(row_form(line, accepts=accepts)).run(items(range(6)))
    found = rejects(out)
    assert {row: (reject.stage, reject.reason) for row, reject in found.items()} == {
        0: ("accept", "ZeroDivisionError"),
        3: ("accept", "RejectError"),
    }
    assert emitted(out) == [1, 2]
    assert out.dropped["item"].tolist() == [4, 5]


def test_repeated_identity_within_one_input() -> None:
    def process(event: Any) -> Any:
        return [line(event), line(event)] if event.n == 1 else [line(event, event_id="same")]

    out = worker(row_form(process)).run(items([0, 1, 2]))
    (reject,) = rejects(out).values()
    assert (reject.index, reject.stage, reject.reason) == (1, "validate", "invalid_row")
    assert "two rows of one input share 'i1'" in reject.error
    assert emitted(out, "event_id") == ["same", "same"]


BERN = timezone(timedelta(hours=1))
TIMES: dict[str, tuple[Any, str | None]] = {
    "first day": (datetime(1970, 1, 1, tzinfo=UTC), None),
    "before the first day": (datetime(1969, 12, 31, 23, 59, tzinfo=UTC), "expected 1970-01-01"),
    "last day": (datetime(2200, 1, 1, 23, 59, 59, 999999, tzinfo=UTC), None),
    "after the last day": (datetime(2200, 1, 2, tzinfo=UTC), "to 2200-01-01, got 2200-01-02"),
    "naive": (datetime(2024, 1, 1), "event_time: "),  # noqa: DTZ001
    "text": ("2024-01-01T00:00:00Z", "not a datetime"),
    "a number": (1_700_000_000, "not a datetime"),
    "a date": (date(2024, 1, 1), "not a datetime"),
    "none": (None, "a value is required"),
    "an offset": (datetime(2024, 1, 1, 0, 30, tzinfo=BERN), None),
    "before year 1": (datetime(1, 1, 1, tzinfo=BERN), "event_time: "),
}


@pytest.mark.parametrize("name", TIMES)
def test_event_time(name: str) -> None:
    moment, said = TIMES[name]
    out = worker(row_form(lambda e: line(e, event_time=moment) if e.n == 1 else line(e))).run(items([0, 1, 2]))
    found = rejects(out)
    if said is None:
        assert emitted(out, "event_time")[1] == moment
    else:
        assert list(found) == [1]
        assert (found[1].stage, found[1].reason) == ("validate", "invalid_row")
        assert said in found[1].error
        assert found[1].error.startswith("event_time: ")


def test_one_bad_row_of_several_refuses_the_whole_input() -> None:
    def process(event: Any) -> Any:
        return [line(event, event_id="a"), line(event, event_id="b", n="x" if event.n == 1 else 5)]

    out = worker(row_form(process)).run(items([0, 1]))
    assert list(rejects(out)) == [1]
    assert emitted(out, "event_id") == ["a", "b"]


def test_an_executor_cannot_change_an_event() -> None:
    def process(event: Any) -> Any:
        event.n = 5
        return line(event)

    out = worker(row_form(process)).run(items([1]))
    assert rejects(out)[0].reason == "AttributeError"


def test_a_subclass_of_the_row_counts_as_the_row() -> None:
    class Longer(Line):
        extra: int = 1

    out = worker(row_form(lambda e: Longer(event_id="x", event_time=datetime(2024, 1, 1, tzinfo=UTC), n=e.n)))
    assert emitted(out.run(items([4]))) == [4]


def test_the_event_is_an_instance_of_the_authors_class() -> None:
    seen: list[Any] = []
    worker(row_form(seen.append)).run(items([1]))
    assert isinstance(seen[0], Item)
    assert isinstance(seen[0], Event)
    assert Executor.accepts(None, seen[0])  # type: ignore[arg-type]
