"""Enrichments: the keys that are looked up, the alignment of answers, and missing facts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from tests.support.engine_inputs import raw
from tests.support.flow_events import Item, Line, emitted, items, line, rejects
from tests.support.plane_lookup import POLICY, Plane, Planes, executors
from trivium import Enrichment, Event, Executor
from trivium.config.worker_spec import spec_of
from trivium.contract.errors import LookupUnavailable
from trivium.core.errors import LookupAnswerError, RunError
from trivium.engine.blocking import BlockingWorker
from trivium.testing import ManualClock


def worker(
    executor: Any, planes: Planes, unavailable: Any = "fail", clock: ManualClock | None = None
) -> BlockingWorker:
    spec = spec_of([executor], retry=POLICY)
    lookups = {name: replace(each, unavailable=unavailable) for name, each in spec.lookups.items()}
    return BlockingWorker(replace(spec, lookups=lookups), dict.fromkeys(lookups, planes), clock or ManualClock())


def keyed(*keys: str | None) -> Any:
    return raw(*(json.dumps({"event_type": "item", "n": n, "key": key}).encode() for n, key in enumerate(keys)))


FORMS = pytest.mark.parametrize("form", ["row", "column"])


@FORMS
def test_rows_are_aligned_and_each_key_is_asked_once(form: str) -> None:
    planes = Planes()
    out = worker(executors()[form], planes).run(keyed("a", "b", None, "a", "zz", "b"))
    assert emitted(out) == [100, 200, -1, 100, -1, 200]
    assert planes.asked == [["a", "b", "zz"]]


@FORMS
def test_null_is_written_down_where_it_was_not_a_plain_hit(form: str) -> None:
    out = worker(executors("null")[form], Planes()).run(keyed("a", None, "zz"))
    assert emitted(out, "_enrichments") == [None, '{"plane":"null_key"}', '{"plane":"missing"}']


@FORMS
def test_drop(form: str) -> None:
    out = worker(executors("drop")[form], Planes()).run(keyed(None, "a", "zz", "b"))
    assert rejects(out) == {}
    assert out.dropped["item"].tolist() == [0, 2]
    assert emitted(out) == [100, 200]
    assert emitted(out, "_enrichments") == [None, None]


@FORMS
def test_reject(form: str) -> None:
    out = worker(executors("reject")[form], Planes()).run(keyed(None, "a", "zz", "b"))
    assert {row: (r.stage, r.reason, r.error) for row, r in rejects(out).items()} == {
        0: ("enrich", "enrichment_null_key", "enrichment plane: the event's key is null"),
        2: ("enrich", "enrichment_missing", "enrichment plane: plane has no row for 'zz'"),
    }
    assert emitted(out) == [100, 200]


@FORMS
def test_a_reject_names_its_own_key_cut_off_and_without_secrets(form: str) -> None:
    spec = replace(spec_of([executors("reject")[form]], retry=POLICY), secrets={"salt": "s3cr3t-0ne"})
    keys = ("a", "x" * 5_000, "s3cr3t-0ne", None, "\n", "b")
    errors = [each.error for each in BlockingWorker(spec, {"plane": Planes()}).run(keyed(*keys)).rejects]
    long, secret, null, odd = (each.removeprefix("enrichment plane: ") for each in errors)
    assert long.startswith("plane has no row for 'xxxx")
    assert long.endswith("characters in all)")
    assert len(long) < 260
    assert secret == "plane has no row for '(a value from a variable)'"
    assert null == "the event's key is null"
    assert odd == r"plane has no row for '\n'"


@FORMS
def test_a_reject_names_the_key_that_was_not_answered(form: str) -> None:
    planes = Planes(failures=99)
    [reject] = worker(executors("reject")[form], planes, "missing").run(keyed("a")).rejects
    assert (reject.reason, reject.error) == (
        "enrichment_unavailable",
        "enrichment plane: plane was unavailable for 'a'",
    )


def test_of_a_list_the_keys_without_a_row_are_named() -> None:
    class Flight(Event, tag="item"):
        n: int
        planes: tuple[str, ...]

    class Listing(Executor[Flight, Line]):
        kept = Enrichment(Plane, key="planes", lookup="plane", missing="drop")
        other = Enrichment(Plane, key="planes", lookup="plane", missing="reject")

        def process(self, event: Flight, kept: tuple[Plane | None, ...], other: tuple[Plane | None, ...]) -> Line:
            return line(event)

    class Rejecting(Executor[Flight, Line]):
        first = Enrichment(Plane, key="planes", lookup="plane", missing="reject")

        def process(self, event: Flight, first: tuple[Plane | None, ...]) -> Line:
            return line(event)

    events = [["a", "b"], ["a", "zz", "b", "yy"], [], ["q"] * 9]
    batch = raw(*(json.dumps({"event_type": "item", "n": n, "planes": each}).encode() for n, each in enumerate(events)))
    out = worker(Rejecting, Planes()).run(batch)
    assert {row: each.error for row, each in rejects(out).items()} == {
        1: "enrichment first: plane has no row for 'zz', 'yy'",
        3: "enrichment first: plane has no row for 'q', 'q', 'q'",
    }
    assert rejects(worker(Listing, Planes()).run(batch)) == {}


@FORMS
def test_nobody_left(form: str) -> None:
    out = worker(executors("drop")[form], Planes()).run(keyed(None, "zz"))
    assert (rejects(out), emitted(out), out.dropped["item"].tolist()) == ({}, [], [0, 1])


@FORMS
def test_an_unavailable_lookup_is_tried_again(form: str) -> None:
    planes, clock = Planes(failures=2), ManualClock()
    assert emitted(worker(executors()[form], planes, clock=clock).run(keyed("a"))) == [100]
    assert len(planes.asked) == 3
    assert_spread(clock.sleeps, [1.0, 2.0])


def assert_spread(waits: list[float], expected: list[float]) -> None:
    """Delays are spread at random, over their upper half."""
    assert len(waits) == len(expected)
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, expected, strict=True))


def test_the_wait_a_lookup_asks_for_is_honoured() -> None:
    planes, clock = Planes(failures=1, error=LookupUnavailable("busy", retry_after=7.0)), ManualClock()
    worker(executors()["row"], planes, clock=clock).run(keyed("a"))
    assert len(clock.sleeps) == 1
    assert 7.0 <= clock.sleeps[0] <= 8.0


def test_a_lookup_that_stays_away_fails_the_run() -> None:
    planes, clock = Planes(failures=99), ManualClock()
    with pytest.raises(RunError, match="lookup plane stayed unavailable: down") as raised:
        worker(executors()["row"], planes, "fail", clock).run(keyed("a"))
    assert "lookups.plane.unavailable" in str(raised.value)
    assert_spread(clock.sleeps, [1.0, 2.0])


@pytest.mark.parametrize("error", [LookupAnswerError("two rows for a"), ConnectionError("no route"), KeyError("seats")])
def test_a_lookup_that_is_wrong_fails_the_run_at_once(error: Exception) -> None:
    clock = ManualClock()
    with pytest.raises(RunError, match="lookup plane") as raised:
        worker(executors()["row"], Planes(failures=99, error=error), "missing", clock).run(keyed("a"))
    assert raised.value.__cause__ is error
    assert clock.sleeps == []


UNAVAILABLE: dict[str, tuple[list[int], list[int], list[int]]] = {
    "null": ([-1, -1], [], []),
    "drop": ([], [0, 1], []),
    "reject": ([], [], [0, 1]),
}


@FORMS
@pytest.mark.parametrize("missing", UNAVAILABLE)
def test_unavailable_may_count_as_missing(form: str, missing: str) -> None:
    kept, dropped, rejected = UNAVAILABLE[missing]
    out = worker(executors(missing)[form], Planes(failures=99), "missing").run(keyed("a", None))
    found = rejects(out)
    assert (emitted(out), list(found)) == (kept, rejected)
    assert [row for rows in out.dropped.values() for row in rows] == dropped
    if kept:
        assert emitted(out, "_enrichments") == ['{"plane":"unavailable"}', '{"plane":"null_key"}']
    if rejected:
        assert [found[row].reason for row in rejected] == ["enrichment_unavailable", "enrichment_null_key"]


class Pair(Item, tag="item"):
    second: str | None = None


def test_two_enrichments_on_one_lookup_and_parameters_in_any_order() -> None:
    class Both(Executor[Pair, Line]):
        first_plane = Enrichment(Plane, key="key", lookup="plane", missing="null")
        second_plane = Enrichment(Plane, key="second", lookup="plane", missing="null")

        def process(self, event: Pair, second_plane: Plane | None, first_plane: Plane | None) -> Line:
            first = first_plane.seats if first_plane else 0
            return line(event, n=1000 * first + (second_plane.seats if second_plane else 0))

    planes = Planes()
    out = worker(Both, planes).run(items([0, 1], key="a", second="b"))
    assert emitted(out) == [100_200, 100_200]
    assert planes.asked == [["a", "b"]]
    one = worker(Both, Planes()).run(items([0], key=None, second="zz"))
    assert emitted(one, "_enrichments") == ['{"first_plane":"null_key","second_plane":"missing"}']


def test_independent_enrichments_ask_for_all_events_that_were_accepted() -> None:
    class Both(Executor[Pair, Line]):
        one = Enrichment(Plane, key="key", missing="drop")
        two = Enrichment(Plane, key="second", missing="null")

        def process(self, event: Pair, one: Plane, two: Plane | None) -> Line:
            return line(event, n=one.seats)

    planes = Planes()
    records = [{"event_type": "item", "n": 0, "key": "zz", "second": "q"}, {"event_type": "item", "n": 1, "key": "a"}]
    out = worker(Both, planes).run(raw(*(json.dumps(record).encode() for record in records)))
    assert emitted(out) == [100]
    assert planes.asked == [["zz", "a"], ["q"]]


def test_what_is_not_accepted_is_not_looked_up() -> None:
    class Some(executors()["row"]):  # type: ignore[misc]
        def accepts(self, event: Item) -> bool:
            return event.key == "a"

    planes = Planes()
    worker(Some, planes).run(keyed("a", "b"))
    worker(Some, planes).run(keyed("b"))
    assert planes.asked == [["a"]]


def test_events_with_one_key_share_one_fact() -> None:
    seen: list[Any] = []

    class Keeps(Executor[Item, Line]):
        plane = Enrichment(Plane, key="key")

        def process(self, event: Item, plane: Plane) -> Line:
            seen.append(plane)
            return line(event)

    worker(Keeps, Planes()).run(keyed("a", "b", "a"))
    assert seen[0] is seen[2]
    assert (seen[0].seats, seen[0].maker) == (100, "Airbus")
    assert isinstance(seen[0], Plane)


def test_an_answer_with_text_that_is_none_is_named() -> None:
    planes = Planes()
    maker = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(bytes(12) + b"\x02\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    planes.rows = pa.RecordBatch.from_arrays([planes.rows.column("seats"), maker], names=["seats", "maker"])
    with pytest.raises(RunError, match="lookup plane gave no usable answer: UnicodeDecodeError"):
        worker(executors()["row"], planes).run(keyed("a"))
