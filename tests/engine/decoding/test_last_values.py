"""A field twice: the last value counts, whatever the earlier ones are, on every way in and at every depth."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium import Event, Executor, NormalizedEvent, Row
from trivium.config.worker_spec import RoutingSpec, spec_of
from trivium.core.clock import SystemClock
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingRequests, BlockingWorker
from trivium.engine.decoding.last_values import LastValues

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class Leg(Row):
    km: int
    at: datetime | None = None


class Trip(Event, tag="trip"):
    n: int
    at: datetime | None = None
    leg: Leg | None = None
    legs: tuple[Leg, ...] = ()


class TripRow(NormalizedEvent):
    seen: str


class TripExecutor(Executor[Trip, TripRow]):
    """The numbers of a trip."""

    def process(self, event: Trip) -> TripRow:
        km = [event.leg.km if event.leg else None, *(leg.km for leg in event.legs)]
        return TripRow(event_id=str(event.n), event_time=WHEN, seen=repr((event.n, event.at, km)))


TAG = b'"event_type":"trip",'
Seen = tuple[str, str]


def ways_in(body: bytes) -> set[Seen]:
    """What became of a record (its opening brace left out), in stretches, alone, in requests and named beside it."""
    tagged, good = b"{" + TAG + body, b"{" + TAG + b'"n":0}'
    by_body, by_header = spec_of([TripExecutor]), spec_of([TripExecutor], routing=RoutingSpec(tag_field=None))
    batches = [
        (BlockingWorker(by_body, {}), RawBatch([tagged], "t/0", np.arange(1))),
        (BlockingWorker(by_body, {}), RawBatch([*[good] * 5, tagged, *[good] * 5], "t/0", np.arange(11))),
        (BlockingWorker(by_header, {}), RawBatch([b"{" + body], "t/0", np.arange(1), ["trip"])),
    ]
    found = set()
    for worker, batch in batches:
        out = worker.run(batch)
        rows = out.emitted["trip"].rows["seen"].to_pylist() if "trip" in out.emitted else []
        found |= {("emitted", row) for row in rows if row != repr((0, None, [None]))}
        found |= {("rejected", each.reason) for each in out.rejects}
    for worker, event_type in (
        (BlockingRequests(by_body, {}, SystemClock()), None),
        (BlockingRequests(by_body, {}), "trip"),
    ):
        (answer,) = worker.answer(tagged, event_type)
        row = [] if answer.outcome == "rejected" else [json.loads(msgspec.json.encode(each)) for each in answer.rows]
        found.add(("emitted", row[0]["seen"]) if row else ("rejected", str(answer.reason)))
    return found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'"n":"bad","n":2}', (2, None, [None])),
        (b'"n":1.5,"n":null,"n":[{}],"n":7}', (7, None, [None])),
        (b'"n":99999999999999999999,"n":3}', (3, None, [None])),
        (b'"n":"\xff","n":3}', (3, None, [None])),
        (
            b'"n":1,"at":"2024-01-01T00:00:00","at":"2024-01-01T00:00:00Z"}',
            (1, datetime(2024, 1, 1, tzinfo=UTC), [None]),
        ),
        (
            b'"n":1,"at":"2024-01-01T00:00:00.1234567Z","at":"2024-01-01T00:00:00.5Z"}',
            (1, datetime(2024, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC), [None]),
        ),
        (b'"n":1,"leg":7,"leg":{"km":"far","km":5}}', (1, None, [5])),
        (b'"n":1,"legs":[{"km":1},{"km":null,"km":2}, {"x":[{}],"km":"","km":3}]}', (1, None, [None, 1, 2, 3])),
        (b'"n":1,"legs":[{"km":"far"}],"legs":[]}', (1, None, [None])),
    ],
    ids=range(9),
)
def test_the_last_value_counts(body: bytes, expected: Any) -> None:
    assert ways_in(body) == {("emitted", repr(expected))}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'"n":2,"n":"bad"}', "invalid"),
        (b'"n":2,"leg":{"km":1,"km":"far"}}', "invalid"),
        (b'"n":"bad","n":2,"n":"\xff"}', "invalid"),
        (b'"n":"bad","n":2', "malformed"),
        (b'"n":"bad","n":2}}', "malformed"),
        (b'"n":1,"at":"2024-01-01T00:00:00Z","at":"2024-01-01T00:00:00.1234567Z"}', "invalid"),
        (b'"x":"bad","x":2}', "invalid"),
    ],
)
def test_a_wrong_last_value_is_a_reject(body: bytes, reason: str) -> None:
    assert ways_in(body) == {("rejected", reason)}


def test_the_last_tag_counts_though_an_earlier_one_is_no_text() -> None:
    out = BlockingWorker(spec_of([TripExecutor]), {}).run(
        RawBatch([b'{"event_type":"\xff","event_type":"trip","n":1}'], "t/0", np.arange(1))
    )
    assert out.emitted["trip"].rows["event_id"].to_pylist() == ["1"]


VALUES = st.sampled_from([1, 2, -3, "x", None, 1.5, True, [], {}, {"km": 1}, {"km": "far"}, [{"km": 2}], [1]])
FIELDS = st.lists(st.tuples(st.sampled_from(["n", "leg", "legs", "other"]), VALUES), max_size=6)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(FIELDS)
def test_a_repeated_field_is_as_if_the_earlier_were_not_there(fields: list[tuple[str, Any]]) -> None:
    def text(pairs: list[tuple[str, Any]]) -> bytes:
        body = ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs)
        return b"{" + TAG + (body or '"z":0').encode() + b"}"

    def outcome(value: bytes) -> Any:
        out = BlockingWorker(spec_of([TripExecutor]), {}).run(RawBatch([value], "t/0", np.arange(1)))
        rows = [each.rows["seen"].to_pylist() for each in out.emitted.values()]
        return rows, [(each.stage, each.reason) for each in out.rejects]

    assert outcome(text(fields)) == outcome(text(list(dict(fields).items())))


def test_a_record_is_read_once_a_level() -> None:
    once = LastValues(TripExecutor.declaration.event_fields)
    assert once(b'{"n":1,"x":[1,2],"n":2,"leg":{"km":1,"y":{},"km":2}}') == b'{"n":2,"leg":{"km":2}}'
    assert once(b'{"legs":null,"leg":"x"}') == b'{"leg":"x","legs":null}'
    with pytest.raises(msgspec.ValidationError):
        once(b"[1]")
