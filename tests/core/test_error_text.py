"""Texts of errors over adversarial records: valid UTF-8, bounded, and little of the record in them."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import hostile_errors as hostile
from tests.support.engine_inputs import MOMENT
from tests.support.letter_text import read_back
from trivium import Event, Executor, Float32, NormalizedEvent, Precision, Row
from trivium.config.worker_spec import RoutingSpec, spec_of
from trivium.core.error_text import MOST_CHARACTERS, UNTRUSTED_CHARACTERS, bounded, decode_error, shown
from trivium.engine.batch import RawBatch, TypedBatch
from trivium.engine.blocking import BlockingWorker
from trivium.engine.outcomes import Reject

LONGEST_SENTENCE = 200
BODY = 5_000
MARKER = "Ж"
"""A letter that none of our sentences has: its count is what a text repeats of a record."""


class Colour(enum.Enum):
    RED = "red"


class Inside(Row):
    kind: Colour | None = None


class Wide(Event, tag="wide"):
    name: str
    colour: Colour | None = None
    level: Literal["low", "high"] | None = None
    at: datetime | None = None
    price: Annotated[Decimal, Precision(10, 2)] | None = None
    share: Float32 | None = None
    count: int | None = None
    data: bytes | None = None
    inside: Inside | None = None
    words: tuple[Colour, ...] = ()


class WideRow(NormalizedEvent):
    text: str | None = None
    number: int | None = None
    colour: Colour | None = None
    words: tuple[str, ...] = ()
    price: Annotated[Decimal, Precision(10, 2)] | None = None


class Strict(Executor[Wide, WideRow]):
    """Puts the event's name in every column, where it does not belong."""

    def process(self, event: Wide) -> Any:
        wrong: Any = event.name
        return WideRow(event_id="1", event_time=MOMENT, number=wrong, colour=wrong, words=(7, wrong), price=wrong)  # type: ignore[arg-type]


class Twice(Executor[Wide, WideRow]):
    """Gives two rows of one name."""

    def process(self, event: Wide) -> list[WideRow]:
        return [WideRow(event_id=event.name, event_time=MOMENT)] * 2


STRICT, TWICE = (BlockingWorker(spec_of([form]), {}) for form in (Strict, Twice))
NAMED = BlockingWorker(spec_of([Strict], routing=RoutingSpec(tag_field=None)), {})
FIELDS = ["event_type", "name", "colour", "level", "at", "price", "share", "count", "data", "inside", "words", "other"]
LONG = [
    '"' + MARKER * BODY + '"',
    '"' + "\\ud83d" * BODY + '"',
    '"' + '\\"' * BODY + '"',
    "1" * BODY,
    "-" + "9" * BODY,
    "1e" + "9" * BODY,
    "0." + "0" * BODY + "1",
    '"NaN' + "1" * BODY + '"',
    "[" + "1," * BODY + "1]",
    "[" * BODY,
    '{"kind":"' + MARKER * BODY + '"}',
    '["red","' + MARKER * BODY + '"]',
    '"2024-01-01T00:00:00.' + "1" * BODY + 'Z"',
    "null",
    "",
]


def record(*pairs: tuple[str, str]) -> bytes:
    return ("{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}").encode()


def rejects_of(
    worker: BlockingWorker, values: Sequence[bytes], types: Sequence[str | None] | None = None
) -> list[Reject]:
    batch = RawBatch(values, "test", np.arange(len(values)), types)
    found = worker.run(batch).rejects
    for each in found:
        check(each)
        assert read_back(each, batch).startswith(each.error)
    return found


def check(reject: Reject) -> None:
    assert reject.error.encode().decode() == reject.error
    assert len(reject.error) <= LONGEST_SENTENCE + UNTRUSTED_CHARACTERS
    assert reject.error.count(MARKER) <= UNTRUSTED_CHARACTERS
    assert len(reject.reason) <= UNTRUSTED_CHARACTERS


@pytest.mark.parametrize("field", FIELDS)
def test_a_long_value_is_not_repeated(field: str) -> None:
    values = [record(("event_type", '"wide"'), ("name", '"n"'), (field, value)) for value in LONG]
    values += [value[:-7] for value in values]
    assert len(rejects_of(STRICT, values)) + len(rejects_of(TWICE, values)) > 2
    rejects_of(NAMED, values, ["wide"] * len(values))
    rejects_of(NAMED, values, ["\udcff" * BODY] * len(values))


@settings(derandomize=True, max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(FIELDS), st.sampled_from(LONG) | st.text(max_size=300)), max_size=4),
    st.binary(max_size=300),
    st.integers(0, 400),
)
def test_texts_over_odd_records(pairs: list[tuple[str, str]], noise: bytes, at: int) -> None:
    value = record(("event_type", '"wide"'), ("name", f'"{MARKER * BODY}"'), *pairs)
    for each in (value, value[:at] + noise + value[at:], noise):
        rejects_of(STRICT, [each])
        rejects_of(TWICE, [each])
        rejects_of(NAMED, [each], ["wide"])


class Nowhere(tzinfo):
    """A zone that answers nothing, as the abstract one does."""

    def utcoffset(self, _: datetime | None) -> Any:
        raise NotImplementedError(MARKER * BODY)


class Number(int):
    def __repr__(self) -> str:
        raise KeyError("no repr")

    def __index__(self) -> int:
        raise KeyError("no index")


class Words(tuple[Any, ...]):
    __slots__ = ()

    def __iter__(self) -> Any:
        raise LookupError(MARKER * BODY)

    def __repr__(self) -> str:
        return MARKER * BODY


ODD_VALUES: dict[str, dict[str, Any]] = {
    "a surrogate": {"text": "\ud83d"},
    "a surrogate in a list": {"words": ("a", "\udcff")},
    "a surrogate for an id": {"event_id": "\ud800"},
    "long text for a number": {"number": MARKER * BODY},
    "a zone without an offset": {"event_time": datetime(2024, 1, 1, tzinfo=Nowhere())},
    "items that cannot be had": {"words": Words(("a",))},
    "an object of objects": {"words": (object(), [MARKER * BODY])},
    "a decimal of a megabyte": {"price": Decimal("1" * 1_000_000)},
    "no decimal": {"price": Decimal("NaN" + "1" * BODY)},
    "a decimal without end": {"price": Decimal("1E-9999999")},
    "a number of a million digits": {"number": 10**1_000_000},
    "an array": {"number": np.zeros(3)},
}


@pytest.mark.parametrize("name", ODD_VALUES)
def test_a_value_that_cannot_be_written_is_a_reject(name: str) -> None:
    changed: dict[str, Any] = {"event_id": "1", "event_time": MOMENT} | ODD_VALUES[name]

    class Odd(Executor[Wide, WideRow]):
        def process(self, event: Wide) -> WideRow:
            return WideRow(**changed) if event.name == "odd" else WideRow(event_id=event.name, event_time=MOMENT)

    values = [record(("event_type", '"wide"'), ("name", f'"{name}"')) for name in ("a", "odd", "b")]
    worker = BlockingWorker(spec_of([Odd]), {})
    (reject,) = rejects_of(worker, values)
    assert (reject.index, reject.stage, reject.reason) == (1, "validate", "invalid_row")
    emitted = worker.run(RawBatch(values, "test", np.arange(3))).emitted["wide"].rows
    assert emitted.column("event_id").to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 100, "short"),
        ("ж" * 100, 100, "ж" * 100),
        ("\ud800", 100, "\\ud800"),
        ("x" * 101, 100, "x" * 40 + " … (cut off, 101 characters in all)"),
        ("\ud800" * 50, 100, ("\\ud800" * 7)[:40] + " … (cut off, 50 characters in all)"),
    ],
)
def test_a_text_is_made_valid_and_cut(text: str, limit: int, expected: str) -> None:
    assert bounded(text, limit) == expected


def test_a_text_of_an_authors_class_becomes_text() -> None:
    assert type(bounded(hostile.LateText("late"))) is str


@given(st.text(st.characters(codec=None), max_size=200), st.integers(61, 200))
def test_a_bounded_text_is_valid_and_bounded(text: str, limit: int) -> None:
    out = bounded(text * 100, limit)
    assert len(out) <= limit
    assert out.encode().decode() == out


def test_a_place_stays_whole() -> None:
    error = ValueError("Invalid enum value '" + "x" * 900 + "' - at `$.colour`")
    assert (
        decode_error(error)
        == "Invalid enum value '" + "x" * 180 + " … (cut off, 921 characters in all) - at `$.colour`"
    )


def test_values_are_shown_in_their_python_form() -> None:
    assert [shown(each) for each in ("a\ud800", b"\xff", 1.5)] == ["'a\\ud800'", "b'\\xff'", "1.5"]
    assert shown(Number(7)) == "a Number that cannot be shown (KeyError)"
    assert shown("x" * 300) == "'" + "x" * 199 + " … (cut off, 302 characters in all)"
    assert MOST_CHARACTERS == 10_000


def test_typed_columns_repeat_little_too() -> None:
    columns = pa.RecordBatch.from_pydict(
        {
            "event_type": ["wide"] * 3 + [None],
            "name": ["x"] * 4,
            "colour": [MARKER * BODY, "red", None, None],
            "level": ["low", MARKER * BODY, None, None],
            "price": pa.array([None, None, Decimal("1" * 30), None], pa.decimal128(38, 2)),
        }
    )
    found = STRICT.run(TypedBatch(columns, "test", np.arange(4))).rejects
    assert len(found) == 4
    for each in found:
        check(each)
