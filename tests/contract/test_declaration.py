"""Every misuse of the contract is an error when the class is defined: which class, which line, what to write."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from trivium import ContractError, Enrichment, Event, Executor, Hint, NormalizedEvent, Row
from trivium.core.errors import ContractError as SameError

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


class Given(Event, tag="given"):
    key: str
    other: int | None = None


class Made(NormalizedEvent):
    n: int = 0


class Plane(Row):
    seats: int


def process(self: Any, event: Any) -> Any:
    return None


def define(event: Any = Given, row: Any = Made, **body: Any) -> type:
    """An executor class of these members."""
    return type(Executor)("Mine", (Executor,), {"__orig_bases__": (Executor[event, row],), **body})


def event(**fields: Any) -> Any:
    """An event class of these fields, given as types or (type, default)."""
    typed = {name: given[0] if isinstance(given, tuple) else given for name, given in fields.items()}
    defaults = {name: given[1] for name, given in fields.items() if isinstance(given, tuple)}
    return type(Event)("Odd", (Event,), {"__annotations__": typed, "__module__": __name__, **defaults}, tag="odd")


def tagged(**config: Any) -> Any:
    """An event class with these tags."""
    return type(Event)("Odd", (Event,), {"__annotations__": {"key": str}, "__module__": __name__}, **config)


def with_plane(self: Any, event: Any, plane: Any) -> Any:
    return None


def with_two(self: Any, event: Any, plane: Any, more: Any) -> Any:
    return None


def key(name: str = "key") -> Enrichment:
    return Enrichment(Plane, key=name)


class Untagged(Event):
    key: str


class Numbered(Event, tag=7):
    key: str


class Empty(Event, tag="empty"):
    pass


class WithNumbers(NormalizedEvent):
    more: dict[int, int]


MISUSES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "neither form": (define, "overrides neither process nor process_batch", "def process(self, event)"),
    "both forms": (lambda: define(process=process, process_batch=process), "overrides both", "keep one"),
    "accepts beside columns": (
        lambda: define(process_batch=process, accepts=process),
        "accepts beside process_batch",
        "filter inside",
    ),
    "an event that is none": (
        lambda: define(event=Plane, process=process),
        "reads Plane, which is not a Event",
        "Event",
    ),
    "a row that is none": (
        lambda: define(row=Plane, process=process),
        "returns Plane, which is not a NormalizedEvent",
        "NormalizedEvent",
    ),
    "no types": (
        lambda: type(Executor)("Mine", (Executor,), {"process": process}),
        "does not say what it reads",
        "Executor[MyEvent",
    ),
    "an event without tag": (lambda: define(event=Untagged, process=process), "does not name its event type", 'tag="'),
    "a tag that is a number": (
        lambda: define(event=Numbered, process=process),
        "does not name its event type",
        'tag="',
    ),
    "an event without fields": (lambda: define(event=Empty, process=process), "declares no field", ""),
    "an enrichment without parameter": (
        lambda: define(process=process, plane=key()),
        "no parameter for the enrichment plane",
        "event, plane",
    ),
    "a parameter without enrichment": (
        lambda: define(process=with_two, plane=key()),
        "asks for more, which is no enrichment",
        "more = Enrichment(",
    ),
    "a key the event lacks": (
        lambda: define(process=with_plane, plane=key("nope")),
        "keyed by 'nope', which the event does not have",
        "key, other",
    ),
    "an optional field that is required": (
        lambda: define(event=event(a=int | None), process=process),
        "Odd.a is optional",
        "a: … | None = None",
    ),
    "an optional field with another default": (
        lambda: define(event=event(a=(int | None, 3)), process=process),
        "Odd.a is optional",
        "| None = None",
    ),
    "a default factory": (
        lambda: define(event=event(a=(tuple[int, ...], msgspec.field(default_factory=lambda: (1,)))), process=process),
        "Odd.a has a default factory",
        "immutable default",
    ),
    "a default without a zone": (
        lambda: define(event=event(a=(datetime, MOMENT.replace(tzinfo=None))), process=process),
        "Odd.a has a default without a time zone",
        "tzinfo=UTC",
    ),
    "a list": (
        lambda: define(event=event(a=list[int]), process=process),
        "Odd.a: list has no Arrow type",
        "tuple[T, ...]",
    ),
    "a dict of numbers": (lambda: define(row=WithNumbers, process=process), "WithNumbers.more: keys", "dict[str, T]"),
    "a set": (lambda: define(event=event(a=set[int]), process=process), "Odd.a: set has no", "mutable"),
    "anything": (
        lambda: define(event=event(a=Any), process=process),
        "Odd.a: any has no Arrow type",
        "docs/contract.md",
    ),
    "a fixed tuple": (lambda: define(event=event(a=tuple[int, str]), process=process), "Odd.a: tuple has no", ""),
    "a decimal without digits": (
        lambda: define(event=event(a=Decimal), process=process),
        "needs its digits",
        "Precision(",
    ),
    "a union of two": (
        lambda: define(event=event(a=int | str), process=process),
        "Odd.a is a union of 2 types",
        "| None",
    ),
    "an inner union": (lambda: define(event=event(a=tuple[int | str, ...]), process=process), "Odd.a[] is a union", ""),
    "an inner list": (
        lambda: define(event=event(a=tuple[list[int], ...]), process=process),
        "Odd.a[]: list has no",
        "tuple",
    ),
}


@pytest.mark.parametrize("name", MISUSES)
def test_misuse(name: str) -> None:
    misuse, said, advice = MISUSES[name]
    with pytest.raises(ContractError) as raised:
        misuse()
    text = str(raised.value)
    assert said in text
    assert advice in raised.value.hint
    assert re.match(r"Mine \(.*test_declaration\.py:\d+\): ", text)
    assert f" Try: {raised.value.hint}" in text


def test_the_place_is_where_the_class_is_written() -> None:
    with pytest.raises(ContractError) as raised:

        class Nothing(Executor[Given, Made]):
            pass

    line = int(raised.value.where.rpartition(":")[2].rstrip(")"))
    lines = open(__file__).read().splitlines()  # noqa: SIM115
    assert "class Nothing" in lines[line - 1]
    assert raised.value.where.startswith("test_the_place_is_where_the_class_is_written.<locals>.Nothing (")


def test_a_mutable_nested_struct() -> None:
    class Loose(msgspec.Struct):
        a: int

    with pytest.raises(ContractError, match="Loose is not frozen"):
        define(event=event(a=Loose), process=process)


@pytest.mark.parametrize("arguments", [{"row": dict}, {"row": int}, {"row": Plane, "missing": "maybe"}])
def test_an_enrichment_that_makes_no_sense(arguments: Any) -> None:
    with pytest.raises(ContractError):
        Enrichment(**({"key": "key"} | arguments))


def test_what_a_good_class_says_about_itself() -> None:
    class Good(Executor[Given, Made]):
        plane = Enrichment(Plane, key="key", missing="null", hints=Hint.CACHEABLE)
        spare = Enrichment(Plane, key="other", lookup="plane", missing="drop")

        def accepts(self, event: Given) -> bool:
            return True

        def process(self, event: Given, spare: Plane, plane: Plane | None) -> Made:
            return Made(event_id="x", event_time=MOMENT)

    declaration = Good.declaration
    assert (declaration.event_type, declaration.form, declaration.has_accepts) == ("given", "row", True)
    assert (declaration.event, declaration.row) == (Given, Made)
    assert declaration.parameters == ("spare", "plane")
    assert {name: e.lookup for name, e in declaration.enrichments.items()} == {"plane": "plane", "spare": "plane"}
    assert declaration.row_schema.names == ["event_id", "event_time", "n"]
    assert declaration.file == __file__


def test_enrichments_and_types_are_inherited() -> None:
    class Base(Executor[Given, Made]):
        plane = Enrichment(Plane, key="key")

        def process(self, event: Given, plane: Plane) -> Any:
            return None

    class Special(Base):
        plane = Enrichment(Plane, key="key", lookup="special")

    assert Special.declaration.enrichments["plane"].lookup == "special"
    assert Base.declaration.enrichments["plane"].lookup == "plane"
    assert Special.declaration.event is Given


def test_the_form_that_is_not_overridden_says_so() -> None:
    rows = define(process=process)()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Mine has the row form only"):
        rows.process_batch(pa.RecordBatch.from_pylist([]))


def test_rows_are_frozen_and_keyword_only() -> None:
    made = Made(event_id="x", event_time=MOMENT)
    with pytest.raises(AttributeError):
        made.n = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        Made("x", MOMENT)  # type: ignore[misc]
    assert SameError is ContractError


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"tag": "a", "tags": ("a", "b")}, "Odd has a tag beside its tags"),
        ({"tags": "ab"}, "expected tags of the event class Odd as a tuple of event types, got 'ab'"),
        ({"tags": ("a", "b", "a")}, "Odd is given twice: a, b, a"),
    ],
)
def test_wrong_tags_are_refused_where_they_are_written(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        tagged(**config)


def test_tags_are_inherited_and_a_tag_replaces_them() -> None:
    several = tagged(tags=("a", "b"))
    child = type(several)("Child", (several,), {"__annotations__": {"more": str}, "__module__": __name__})
    own = type(several)("Own", (several,), {"__annotations__": {"more": str}, "__module__": __name__}, tag="c")
    types = [define(event=event, process=process).declaration.event_types for event in (several, child, own)]  # type: ignore[attr-defined]
    assert types == [("a", "b"), ("a", "b"), ("c",)]
