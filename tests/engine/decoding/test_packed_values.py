"""Values in one buffer: what goes in comes out, and one call over a stretch answers as a call a record would."""

from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trivium.engine.decoding.decoded import decode_pass
from trivium.engine.decoding.packed_values import PackedValues, concatenate, pack, pack_column
from trivium.engine.decoding.record_checks import (
    may_have_long_fraction,
    with_long_fractions,
    with_many_brackets,
)
from trivium.types.nesting import MAX_NESTING

Values = list[bytes | None]

BINARY = st.lists(st.none() | st.binary(max_size=6), max_size=12)


@given(BINARY, st.integers(0, 12), st.integers(0, 12))
def test_what_is_packed_comes_out_again(values: Values, start: int, stop: int) -> None:
    for packed in (pack(values), pack_column(pa.array(values, pa.binary()))):
        assert list(packed) == values
        assert [packed[at] for at in range(len(packed))] == values
        assert list(packed[start:stop]) == values[start:stop]
        assert packed[start:stop].nbytes == sum(len(value) for value in values[start:stop] if value is not None)


@given(st.lists(BINARY, max_size=4), st.integers(0, 12))
def test_parts_are_joined_in_their_order(parts: list[Values], start: int) -> None:
    joined = concatenate([pack(part)[start:] for part in parts])
    assert list(joined) == [value for part in parts for value in part[start:]]


def test_a_column_that_starts_within_its_buffers() -> None:
    column = pa.array(["a", None, "ccc", "dd"]).slice(1, 2)
    assert list(pack_column(column)) == [None, b"ccc"]


def test_only_neighbours_are_a_stretch() -> None:
    with pytest.raises(ValueError, match="every 2th record"):
        pack([b"a", b"b"])[::2]


class Event(msgspec.Struct):
    """An event with one declared field."""

    a: int


DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Event)
SCRAPS = ['{"a":1}', '{"a":1,"z":"', '"}', "{", "}", '{"a":', "2", ",", '"z":[', "]", "\n", " ", "\\", '"', "\x0b", ":"]
"""Pieces from which records are made that are none, two in one, or half a one each."""
RECORDS = st.lists(st.none() | st.lists(st.sampled_from(SCRAPS), max_size=5).map(lambda each: "".join(each).encode()))


def one_by_one(values: Values) -> tuple[list[Any], set[int]]:
    events: list[Any] = []
    for value in values:
        try:
            events.append(None if value is None else DECODER.decode(value))
        except msgspec.MsgspecError:
            events.append(None)
    return events, {at for at, event in enumerate(events) if event is None}


@given(RECORDS)
@example([b'{"a":1,"z":"}', b'{"}', b'{"a":1}{"a":2}'])  # a string that runs on, and two records in one
@example([b'{"a":1,"z":[}', b'{"a":1}{"a":2}', b"{]}"])
@example([b'{"a":1', b"}", b'{"a":1}{"a":2}'])
@example([b'{"a":1}', b"", b'{"a":1}{"a":2}'])
@example([b'{"a":1}', None, b'{"a":1}\n{"a":2}'])
@example([b' {"a":1}', b'{"a":2}\n'])
def test_one_call_for_many_records_answers_as_one_call_each(values: Values) -> None:
    events, bad = one_by_one(values)
    slow: set[int] = set()
    assert decode_pass(DECODER, pack(values), slow) == events
    assert slow == bad


def test_a_bad_record_far_behind_has_its_place() -> None:
    values: Values = [b'{"a":%d}' % at for at in range(5000)]
    values[3001] = b'{"a":"x"}'
    slow = {4500}
    events = decode_pass(DECODER, pack(values), slow)
    assert slow == {3001, 4500}
    assert [at for at, event in enumerate(events) if event is None] == [3001, 4500]
    assert all(event.a == at for at, event in enumerate(events) if event is not None)


def brackets(count: int) -> bytes:
    return b'{"a":1,"z":"' + b"[" * count + b'"}'


@given(st.lists(st.sampled_from([0, 1, MAX_NESTING - 1, MAX_NESTING]), max_size=9))
def test_records_with_many_brackets_are_found(counts: list[int]) -> None:
    packed = pack([None, *map(brackets, counts)])
    expected = [at for at, count in enumerate(counts, 1) if count + 1 > MAX_NESTING]
    assert with_many_brackets(packed[:], len(counts)) == expected


FRACTIONS = [b'"x.123456Z"', b'"x.1234567Z"', b'"x\\u002e1"', b'"x\\u0041"', b"", None, b"1.5", b"\\"]


@given(st.lists(st.sampled_from(FRACTIONS), max_size=9), st.integers(0, 3))
def test_records_with_long_fractions_are_found(values: Values, start: int) -> None:
    packed: PackedValues = pack(values)[start:]
    expected = {at for at, value in enumerate(values[start:]) if value is not None and may_have_long_fraction(value)}
    assert with_long_fractions(packed) == expected
