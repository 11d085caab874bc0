"""Events made up from declared types decode as such, reach the limits, and are the same every time."""

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from trivium import Enrichment, Event, Executor, Float32, Int8, NormalizedEvent, Precision, Row
from trivium.config.worker_spec import spec_of
from trivium.operations.errors import ArgumentError
from trivium.samples.edge_cases import examples, lookup_rows, records
from trivium.samples.harness import Case, Trial


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Part(Row):
    name: str = msgspec.field(name="part-name")
    weight: Annotated[Decimal, Precision(38, 9)]


class Thing(Event, tag="thing"):
    id: str
    at: datetime
    day: date | None = None
    small: Int8
    ranged: Annotated[int, Meta(ge=-3, lt=12)]
    even: Annotated[int, Meta(multiple_of=2)] = 0
    ratio: Annotated[float, Meta(gt=0, le=1)]
    single: Float32 = 0.0
    price: Annotated[Decimal, Precision(10, 2)] | None = None
    code: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "AAA"
    short: Annotated[str, Meta(min_length=1, max_length=3)] = "x"
    blob: bytes = b""
    flag: bool = False
    colour: Colour = Colour.RED
    kind: Literal["a", "b"] = "a"
    vector: tuple[Float32, ...] = ()
    parts: tuple[Part, ...] = ()
    main: Part | None = None


class Fact(Row):
    size: int
    label: str | None = None


class ThingExecutor(Executor[Thing, NormalizedEvent]):
    fact = Enrichment(Fact, key="small", missing="null")

    def process(self, event: Thing, fact: Fact | None) -> NormalizedEvent:
        return NormalizedEvent(event_id=event.id, event_time=event.at)


PIPELINE = spec_of([ThingExecutor])


def made(count: int) -> list[bytes]:
    return examples(records(ThingExecutor.declaration, "event_type"), count)


def test_every_record_is_an_event_from_both_doors() -> None:
    trial = Trial(PIPELINE, PIPELINE.executors["thing"])
    cases = [Case(record) for record in made(1_000)]
    outcomes = trial.ask(cases)
    assert [each.note for each in outcomes if each.rejected] == []
    columns = trial.ask_columns(cases)
    assert columns == outcomes


def test_the_limits_of_types_are_among_them() -> None:
    events = [msgspec.json.decode(record) for record in made(1_000)]

    def seen(name: str) -> list[Any]:
        return [event[name] for event in events if name in event]

    assert {-128, 127} <= set(seen("small"))
    assert set(seen("ranged")) <= set(range(-3, 12))
    assert {-3, 11} <= set(seen("ranged"))
    assert {"", "null", "🛩️"} <= set(seen("id"))
    assert None in seen("day")
    assert max(map(len, seen("vector"))) >= 300
    assert [] in seen("parts")
    assert any(each.endswith("+14:00") for each in seen("at"))
    assert any(len(event) < 8 for event in events)


def test_they_are_the_same_every_time() -> None:
    assert made(50) == made(50)


def test_rows_of_lookups_have_their_columns_or_are_missing() -> None:
    rows = examples(lookup_rows(PIPELINE.lookups["fact"]), 50)
    assert None in rows
    assert all(set(row) == {"size", "label"} for row in rows if row is not None)


class Odd(Event, tag="odd"):
    id: Annotated[str, Meta(pattern="^a$", min_length=5)]


class OddExecutor(Executor[Odd, NormalizedEvent]):
    def process(self, event: Odd) -> None:
        return None


def test_a_type_nothing_fits_is_said_to_be_one() -> None:
    with pytest.raises(ArgumentError, match="no events could be made up from the declared types"):
        examples(records(OddExecutor.declaration, "event_type"), 10)
