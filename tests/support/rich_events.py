"""Events of every kind of field, their executors in both forms, and strategies for good and odd records."""

from __future__ import annotations

import base64
import enum
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from msgspec import Meta

from trivium import Event, Executor, Float32, Int8, NormalizedEvent, Precision, Row

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
