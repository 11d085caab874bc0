"""What holds for any input: two doors and two forms agree, every input has one outcome, batches split anywhere."""

from __future__ import annotations

import base64
import enum
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Meta

from tests.support.engine_inputs import raw
from trivium import Event, Executor, Float32, Int8, NormalizedEvent, Precision, Row
from trivium.config.in_memory import spec_of
from trivium.engine.batch import RawBatch, TypedBatch
from trivium.engine.outcomes import Outcomes
from trivium.engine.worker import Worker

BOUNDED = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
Money = Annotated[Decimal, Precision(6, 2)]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Place(Row):
    name: str
    level: Int8 | None = None


class Rich(Event, tag="rich"):
    id: str
    at: datetime
    count: Annotated[int, Meta(ge=-5)] = 7
    small: Int8 | None = None
    ratio: Float32 | None = None
    exact: Money | None = None
    colour: Colour = Colour.RED
    blob: bytes | None = None
    day: date | None = msgspec.field(name="the-day", default=None)
    tags: Annotated[tuple[str, ...], Meta(max_length=3)] | None = None
    place: Place | None = None


class RichRow(NormalizedEvent):
    count: int
    small: Int8 | None = None
    ratio: Float32 | None = None
    exact: Money | None = None
    colour: Colour | None = None
    blob: bytes | None = None
    day: date | None = None
    tags: tuple[str, ...] | None = None
    place: Place | None = None


COPIED = ("count", "small", "ratio", "exact", "colour", "blob", "day", "tags", "place")


class Rows(Executor[Rich, RichRow]):
    def process(self, event: Rich) -> RichRow | None:
        if event.id == "raise":
            raise ValueError("asked to")
        if event.id == "drop":
            return None
        copied = {name: getattr(event, name) for name in COPIED}
        return RichRow(event_id=event.id, event_time=event.at, **copied)


class Columns(Executor[Rich, RichRow]):
    def process_batch(self, events: pa.RecordBatch) -> Any:
        ids = events.column("id").to_pylist()
        if "raise" in ids:
            raise ValueError("asked to")
        keep = pa.array([row for row, name in enumerate(ids) if name != "drop"], pa.int32())
        kept = events.take(keep)
        renamed = kept.rename_columns(["event_id", "event_time", *kept.schema.names[2:]])
        return renamed, keep


ROWS, COLUMNS = (Worker(spec_of([form]), {}) for form in (Rows, Columns))

MOMENTS = st.datetimes(datetime(1960, 1, 1), datetime(2210, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
OFFSETS = st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EVENTS = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "", "é😀", "raise", "drop"]) | st.text(max_size=5),
        "at": MOMENTS,
    },
    optional={
        "count": st.integers(-10, 10) | st.integers(-(2**63), 2**63 - 1),
        "small": st.none() | st.integers(-130, 130),
        "ratio": st.none() | st.floats(width=64),
        "exact": st.none() | st.decimals(-20_000, 20_000, places=3, allow_nan=False) | st.decimals(-99, 99, places=1),
        "colour": st.sampled_from(["red", "blue", "green", "Red"]),
        "blob": st.none() | st.binary(max_size=4),
        "the-day": st.none() | st.dates(),
        "tags": st.none() | st.lists(st.text(max_size=2), max_size=4),
        "place": st.none()
        | st.fixed_dictionaries({"name": st.text(max_size=2), "level": st.none() | st.integers(-200, 200)}),
    },
)
SCHEMA = pa.schema(
    {
        "event_type": pa.string(),
        "id": pa.string(),
        "at": pa.timestamp("us", "UTC"),
        "count": pa.int64(),
        "small": pa.int16(),
        "ratio": pa.float64(),
        "exact": pa.decimal128(20, 3),
        "colour": pa.dictionary(pa.int8(), pa.string()),
        "blob": pa.large_binary(),
        "the-day": pa.date32(),
        "tags": pa.large_list(pa.string()),
        "place": pa.struct([("level", pa.int64()), ("name", pa.string())]),
    }
)


def as_json(event: dict[str, Any], offset: timezone) -> bytes:
    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(offset).isoformat()
        if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        return str(value)

    return json.dumps({"event_type": "rich", **event}, default=plain).encode()


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


GOOD = as_json({"id": "a", "at": datetime(2024, 1, 1, tzinfo=UTC), "count": 3, "place": {"name": "x"}, "tags": []}, UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*SCHEMA.names, "other"])
ODD = st.dictionaries(FIELDS, JSON, max_size=5).map(lambda each: json.dumps({"event_type": "rich", **each}).encode())


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good record with a few bytes replaced, taken out or put in."""
    value = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(value)))
        value[start : start + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(value)


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
    content(Worker(spec_of([Anything]), {}).run(raw(*records)))
