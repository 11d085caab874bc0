"""Requests: the answers are the worker's, whatever way the rows take, and a body is taken apart event by event."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import rich_events as rich
from tests.support import row_values as validate
from tests.support.engine_inputs import MOMENT, raw
from tests.support.flow_events import Item, Line, items, line, row_form
from tests.support.plain_events import PLAIN, PLAIN_REQUESTS, PLAIN_WORKER, without_nulls
from tests.support.plane_lookup import POLICY, Planes, executors
from tests.support.recorded_lookup import of_answer, of_outcomes
from trivium import Event, Executor, NormalizedEvent, RetryPolicy, TransientError
from trivium.config.worker_spec import RoutingSpec, spec_of
from trivium.contract.errors import LookupUnavailable
from trivium.contract.rows import RowMeta
from trivium.core.clock import Deadline
from trivium.core.errors import LookupOutage
from trivium.engine.blocking import BlockingRequests, BlockingWorker
from trivium.engine.decoding.decoder import Decoder
from trivium.engine.requests import row_json
from trivium.engine.requests.body import MalformedBody, TooManyEvents, events_of
from trivium.testing import ManualClock

RICH_COLUMNS = rich.RichRow.__struct_fields__
RICH = [
    (BlockingWorker(spec_of([form]), {}), BlockingRequests(spec_of([form]), {})) for form in (rich.Rows, rich.Columns)
]
LINE_COLUMNS = Line.__struct_fields__


def listed(values: Any) -> bytes:
    return b"[" + b",".join(values) + b"]"


@rich.BOUNDED
@given(st.lists(rich.EVENTS, max_size=5), rich.OFFSETS)
def test_an_event_is_answered_as_the_worker_answers_it(events: list[dict[str, Any]], offset: Any) -> None:
    values = [rich.as_json(event, offset) for event in events]
    for worker, requests in RICH:
        expected = of_outcomes(worker.run(raw(*values)), RICH_COLUMNS)
        assert list(map(of_answer, requests.answer(listed(values), max_events=5))) == expected
        assert [of_answer(requests.answer(value)[0]) for value in values] == expected


@rich.BOUNDED
@given(st.lists(rich.mutated() | rich.ODD, min_size=1, max_size=4))
def test_odd_records_get_the_reasons_they_get_elsewhere(values: list[bytes]) -> None:
    for worker, requests in RICH:
        for value in values:
            expected = of_outcomes(worker.run(raw(value)), RICH_COLUMNS)
            try:
                answers = requests.answer(value)
            except (MalformedBody, TooManyEvents):
                assert value.lstrip(b" \t\r\n")[:1] == b"["
            else:
                assert value.lstrip(b" \t\r\n")[:1] == b"[" or list(map(of_answer, answers)) == expected


SIMPLE = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "é😀", "drop"]), "at": st.datetimes(timezones=st.just(UTC))},
    optional={"count": st.integers(-5, 9), "small": st.integers(0, 9) | st.none(), "blob": st.binary(max_size=4)},
)


@rich.BOUNDED
@given(st.lists(rich.EVENTS | SIMPLE, max_size=4), rich.OFFSETS | st.just(UTC), st.booleans())
def test_plain_events_take_a_quick_way_to_the_same_answers(events: list[Any], offset: Any, other: bool) -> None:
    values = [rich.as_json(event, offset) for event in events] + [b'{"event_type":"item","n":1}'] * other
    expected = of_outcomes(PLAIN_WORKER.run(raw(*values)), PLAIN.table_columns.names)
    answers = PLAIN_REQUESTS.answer(listed(values), max_events=5)
    assert [without_nulls(of_answer(each)) for each in answers] == [without_nulls(each) for each in expected]
    for value, one in zip(values, expected, strict=True):
        assert without_nulls(of_answer(PLAIN_REQUESTS.answer(value)[0])) == without_nulls(one)


def test_which_bodies_are_decoded_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Decoder, "decode", lambda *_: pytest.fail("decoded one by one"))
    one, two = b'{"event_type":"rich","id":"a","at":"2024-01-01T00:00:00Z"}', b'{"event_type":"item","n":1}'
    for body in (one, listed([one, two]), listed([two] * 4), listed([two] * 500), b"[]"):
        assert all(each.outcome == "emitted" for each in PLAIN_REQUESTS.answer(body, max_events=500))
    assert PLAIN_REQUESTS.answer(one, "rich")[0].event_type == "rich"


ODD_ROWS: Final = {
    "fails": lambda event: 1 / 0,
    "drops": lambda event: None,
    "gives another class": lambda event: event,
    "gives a naive time": lambda event: line(event, event_time=datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None)),
    "gives a time outside of the range": lambda event: line(event, event_time=datetime(2300, 1, 1, tzinfo=UTC)),
    "gives two": lambda event: [line(event, event_id="a"), line(event, event_id="b")],
    "gives two of one identity": lambda event: [line(event), line(event)],
}


@pytest.mark.parametrize("name", ODD_ROWS)
@pytest.mark.parametrize("body", ["plain", "odd"])
def test_an_executor_is_asked_once_for_an_event(name: str, body: str) -> None:
    asked: list[int] = []

    def process(event: Item) -> Any:
        asked.append(event.n)
        return ODD_ROWS[name](event) if event.n == 1 else line(event)

    requests = BlockingRequests(spec_of([row_form(process)], retry=RetryPolicy(attempts=1)), {})
    values = [b'{"event_type":"item","n":%d}' % n for n in range(3)]
    values += [b'{"event_type":"item","n":"x"}'] if body == "odd" else []
    answers = requests.answer(listed(values), max_events=4)
    assert asked == [0, 1, 2]
    expected = of_outcomes(
        BlockingWorker(spec_of([row_form(process)], retry=RetryPolicy(attempts=1)), {}).run(raw(*values)), LINE_COLUMNS
    )
    assert list(map(of_answer, answers)) == expected


@pytest.mark.parametrize("name", validate.CASES)
def test_a_returned_value(name: str) -> None:
    annotation, value, _ = validate.CASES[name]
    good, _ = validate.GOOD.get(name) or validate.PLAIN[annotation]
    body = {"__annotations__": {"value": annotation}, "__module__": __name__}
    row: Any = RowMeta("Made", (NormalizedEvent,), body)

    class Made(Executor[validate.Given, row]):  # type: ignore[valid-type]
        def process(self, event: validate.Given) -> Any:
            return row(event_id="x", event_time=MOMENT, value=value if event.value == 1 else good)

    values = [b'{"event_type":"given","value":%d}' % number for number in range(3)]
    expected = of_outcomes(BlockingWorker(spec_of([Made]), {}).run(raw(*values)), row.__struct_fields__)
    requests = BlockingRequests(spec_of([Made]), {})
    assert list(map(of_answer, requests.answer(listed(values), max_events=3))) == expected
    assert [of_answer(requests.answer(value)[0]) for value in values] == expected


def test_plain_rows_are_written_without_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_json.RowJson, "from_columns", lambda *_: pytest.fail("went through a table"))
    requests = BlockingRequests(spec_of([row_form(line)]), {})
    [answer] = requests.answer(b'{"event_type":"item","n":3}')
    assert json.loads(msgspec.json.encode(answer.rows[0])) == {
        "event_id": "i3",
        "event_time": "2024-01-01T00:00:00Z",
        "n": 3,
    }


class Optional(NormalizedEvent):
    ratio: float | None = None
    vector: tuple[float, ...] = ()
    text: str | None = None


class Brief(NormalizedEvent, omit_defaults=True):
    n: int
    text: str | None = None


def test_every_declared_column_is_there() -> None:
    class Briefs(Executor[Item, Brief]):
        def process(self, event: Item) -> Brief:
            return Brief(event_id="x", event_time=MOMENT, n=event.n)

    [answer] = BlockingRequests(spec_of([Briefs]), {}).answer(b'{"event_type":"item","n":3}')
    assert msgspec.to_builtins(answer.rows[0])["text"] is None


class Sub(Optional):
    more: int = 0


DOUBTFUL: dict[str, Any] = {
    "NaN that JSON would call null": lambda: {"ratio": float("nan")},
    "infinity": lambda: {"ratio": float("-inf")},
    "NaN in a vector": lambda: {"vector": (1.0, float("nan"))},
    "int in a vector": lambda: {"vector": (1.0, 2)},
    "None where none may be": lambda: {"vector": None},
    "text of another type": lambda: {"text": b"a"},
    "good": lambda: {"ratio": 0.1, "vector": (1.5, -0.0), "text": "é"},
    "time of another zone": lambda: {"event_time": datetime.fromisoformat("2024-01-01T02:00:00+05:30")},
    "time too early": lambda: {"event_time": datetime(2000, 1, 1, tzinfo=UTC)},
    "time too late": lambda: {"event_time": datetime(2030, 1, 1, tzinfo=UTC)},
    "last time": lambda: {"event_time": datetime(2024, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)},
}


@pytest.mark.parametrize("name", DOUBTFUL)
@pytest.mark.parametrize("kind", [Optional, Sub])
def test_rows_that_need_a_second_look(name: str, kind: type[Optional]) -> None:
    class Odd(Executor[Item, Optional]):
        def process(self, event: Item) -> Any:
            return kind(**{"event_id": "x", "event_time": MOMENT, **DOUBTFUL[name]()})

    times = (date(2023, 1, 1), date(2024, 12, 31))
    pipeline = spec_of([Odd], event_days=times)
    value = b'{"event_type":"item","n":3}'
    expected = of_outcomes(BlockingWorker(pipeline, {}).run(raw(value)), Optional.__struct_fields__)
    assert [of_answer(each) for each in BlockingRequests(pipeline, {}).answer(value)] == expected


def test_rows_of_one_event_that_share_an_id() -> None:
    requests = BlockingRequests(spec_of([row_form(lambda event: [line(event)] * event.n)]), {})
    one, two = requests.answer(listed([b'{"event_type":"item","n":1}', b'{"event_type":"item","n":2}']), max_events=2)
    assert (one.outcome, len(one.rows)) == ("emitted", 1)
    assert (two.outcome, two.reason) == ("rejected", "invalid_row")


def test_rows_of_another_attempt_stand_with_their_event() -> None:
    seen: list[int] = []

    def flaky(event: Item) -> Any:
        seen.append(event.n)
        if event.n == 0 and seen.count(0) == 1:
            raise TransientError("once")
        return [line(event, event_id=f"{event.n}{letter}") for letter in "ab"]

    clock = ManualClock()
    requests = BlockingRequests(spec_of([row_form(flaky)], retry=RetryPolicy(attempts=2)), {}, clock)
    answers = requests.answer(listed(items([0, 1]).values), max_events=2)
    assert [[row.event_id for row in each.rows] for each in answers] == [
        ["0a", "0b"],
        ["1a", "1b"],
    ]


def test_nothing_is_tried_again_beyond_the_deadline_of_the_request() -> None:
    def down(_event: Item) -> Any:
        raise TransientError("down")

    clock = ManualClock()
    policy = RetryPolicy(attempts=5, first_delay_seconds=1.0, factor=1.0, deadline_seconds=60)
    requests = BlockingRequests(spec_of([row_form(down)], retry=policy), {}, clock)
    [answer] = requests.answer(items([0]).values[0], limit=Deadline.after(clock, 2.5))
    assert (answer.outcome, answer.attempts) == ("rejected", 3)


@pytest.mark.parametrize("form", ["row", "column"])
def test_enrichments_and_their_states(form: str) -> None:
    executor = executors("null")[form]
    pipeline = spec_of([executor], retry=POLICY)
    values = [b'{"event_type":"item","n":1,"key":"%s"}' % key for key in (b"a", b"z")] + [
        b'{"event_type":"item","n":2}'
    ]
    expected = of_outcomes(BlockingWorker(pipeline, {"plane": Planes()}).run(raw(*values)), LINE_COLUMNS)
    answers = BlockingRequests(pipeline, {"plane": Planes()}).answer(listed(values), max_events=3)
    assert list(map(of_answer, answers)) == expected
    assert [each.enrichments for each in answers] == [None, {"plane": "missing"}, {"plane": "null_key"}]


def test_a_lookup_waits_no_longer_than_the_request() -> None:
    clock, planes = ManualClock(), Planes(failures=99, error=LookupUnavailable("down"))
    requests = BlockingRequests(spec_of([executors()["row"]], retry=POLICY), {"plane": planes}, clock)
    with pytest.raises(LookupOutage, match="plane stayed unavailable"):
        requests.answer(b'{"event_type":"item","n":1,"key":"a"}', limit=Deadline.after(clock, 0.5))
    assert len(planes.asked) == 1


class Second(Event, tag="second"):
    n: int


class Seconds(Executor[Second, Line]):
    def process(self, event: Second) -> Line:
        return line(event)


def test_the_type_beside_the_events_overrules_their_own() -> None:
    requests = BlockingRequests(spec_of([row_form(line), Seconds]), {})
    body = b'[{"event_type":"item","n":1},{"n":2},{"event_type":"x","n":"3"}]'
    answers = requests.answer(body, "second", max_events=3)
    assert [(each.outcome, each.event_type) for each in answers[:2]] == [("emitted", "second")] * 2
    assert (answers[2].reason, answers[2].path) == ("invalid", "$.n")


def test_types_nobody_declared() -> None:
    value = b'{"event_type":"nobody","n":1}'
    for unrouted, outcome in (("drop", "dropped"), ("reject", "rejected")):
        routing = RoutingSpec(unrouted=unrouted)
        [answer] = BlockingRequests(spec_of([row_form(line)], routing=routing), {}).answer(value)
        assert answer.outcome == outcome


def test_a_pipeline_that_routes_by_header_needs_the_type_beside_the_events() -> None:
    requests = BlockingRequests(spec_of([row_form(line)], routing=RoutingSpec(tag_field=None)), {})
    with pytest.raises(ValueError, match="the event type of each record beside it"):
        requests.answer(b'{"n":1}')
    assert requests.answer(b'{"n":1}', "item")[0].outcome == "emitted"


DEEP = b'{"x":"],{\\"[","a":' + b"[" * 3_000 + b"1,2" + b"]" * 3_000 + b"}"
BODIES: dict[str, tuple[bytes, list[bytes]]] = {
    "one": (b' {"a":1} ', [b' {"a":1} ']),
    "nothing": (b"", [b""]),
    "no list": (b"null", [b"null"]),
    "an empty list": (b" [ ] ", []),
    "a list": (b'\n[{"a":[1,2]} , 3,"],"]', [b'{"a":[1,2]}', b"3", b'"],"']),
    "a list of lists": (b"[[1],[2,3]]", [b"[1]", b"[2,3]"]),
    "deep": (b'[{"a":1},' + DEEP + b',{"b":2} ] ', [b'{"a":1}', DEEP, b'{"b":2} ']),
    "invalid UTF-8 inside": (b'["\xff",1]', [b'"\xff"', b"1"]),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_taken_apart(name: str) -> None:
    body, expected = BODIES[name]
    assert [each.strip() for each in events_of(body, 9)] == [each.strip() for each in expected]


@pytest.mark.parametrize("body", [b"[", b"[1", b"[1,]", b"[1] 2", b'["a]', b"[" + DEEP, b"[" + DEEP + b"] x", b"[1}"])
def test_a_list_that_cannot_be_taken_apart(body: bytes) -> None:
    with pytest.raises(MalformedBody, match="starts as a list of events"):
        events_of(body, 9)


@pytest.mark.parametrize("bad", [b'{"event_type":"item","n":01}', b'{"a":"\\q"}', b"tru", b"\xef\xbb\xbf{}", DEEP])
def test_a_bad_item_rejects_only_itself(bad: bytes) -> None:
    requests = BlockingRequests(spec_of([row_form(line)]), {})
    good = b'{"event_type":"item","n":1}'
    answers = requests.answer(listed([good, bad, good]), max_events=3)
    assert [each.outcome for each in answers] == ["emitted", "rejected", "emitted"]
    expected = of_outcomes(BlockingWorker(spec_of([row_form(line)]), {}).run(raw(bad)), LINE_COLUMNS)
    assert [of_answer(answers[1])] == expected


def test_too_many_events() -> None:
    with pytest.raises(TooManyEvents, match="at most 2 events in one request, got 3"):
        events_of(b"[1,2,3]", 2)


def test_too_many_events_that_are_no_json_end_at_the_limit() -> None:
    with pytest.raises(TooManyEvents, match="at most 500 events in one request, got more"):
        events_of(b"[" + b"01," * 100_000, 500)
    with pytest.raises(MalformedBody):
        events_of(b"[" + b"," * 100_000, 500)


ITEMS = st.lists(
    st.sampled_from([b"01", b'"a,]\\\\"', b'{"x":"\\""}', b"[[1],{}]", b'"\\"' + b"p" * 70_000 + b'"', b" \\ "]),
    min_size=1,
)


@given(ITEMS)
@settings(max_examples=40, derandomize=True, deadline=None)
def test_items_are_told_apart_across_the_pieces_that_are_read_at_once(items: list[bytes]) -> None:
    values = [*items, b"01"]  # no JSON, so that brackets tell
    assert events_of(b"[" + b",".join(values) + b"]", 200) == values


def test_one_event_too_deep_rejects_only_itself() -> None:
    requests = BlockingRequests(spec_of([row_form(line)]), {})
    good = b'{"event_type":"item","n":1}'
    answers = requests.answer(listed([good, DEEP, good]), max_events=3)
    assert [each.outcome for each in answers] == ["emitted", "rejected", "emitted"]
    assert answers[1].reason == "nesting"


def test_answers_are_json() -> None:
    requests = BlockingRequests(spec_of([row_form(line)]), {})
    answers = requests.answer(b'[{"event_type":"item","n":1},{"event_type":"item"},{"event_type":"?"}]', max_events=3)
    assert msgspec.json.decode(msgspec.json.encode(answers)) == [
        {
            "outcome": "emitted",
            "event_type": "item",
            "rows": [{"event_id": "i1", "event_time": "2024-01-01T00:00:00Z", "n": 1}],
        },
        {
            "outcome": "rejected",
            "event_type": "item",
            "stage": "decode",
            "reason": "invalid",
            "error": "Object missing required field `n`",
        },
        {"outcome": "dropped", "event_type": "_unrouted"},
    ]
