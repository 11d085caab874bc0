"""The scan of nesting beside one that walks a record letter by letter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import wide_events
from trivium.engine.batch import RawBatch
from trivium.engine.decoding.record_checks import TooDeep, check_nesting
from trivium.engine.outcomes import Reject
from trivium.types.nesting import MAX_NESTING, brackets_outside_strings

PIECES = [b"[" * 40, b"]" * 30, b"{", b"}", b'"', b'\\"', b"\\\\", b"\\", b"a", b"\xff", b"\n", b'"[[["', b"\\u005b"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


def walked(text: bytes) -> bytes:
    found, inside, at = bytearray(), False, 0
    while at < len(text):
        letter = text[at : at + 1]
        if letter == b"\\":
            at += 1  # takes the next letter with it
        elif letter == b'"':
            inside = not inside
        elif letter in b"[]{}" and not inside:
            found += letter
        at += 1
    return bytes(found)


@settings(derandomize=True, max_examples=500, deadline=None)
@given(TEXTS)
def test_brackets_are_those_outside_of_strings(text: bytes) -> None:
    found = brackets_outside_strings(text).tobytes()
    if not outside_has_escapes(text):
        assert found == walked(text)


def outside_has_escapes(text: bytes) -> bool:
    """A backslash outside of a string is no JSON: the decoder refuses the record, whatever its nesting is taken for."""
    inside, at = False, 0
    while at < len(text):
        if text[at : at + 1] == b"\\":
            if not inside:
                return True
            at += 1
        elif text[at : at + 1] == b'"':
            inside = not inside
        at += 1
    return False


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (b"[" * MAX_NESTING + b"]" * MAX_NESTING, False),
        (b"[" * (MAX_NESTING + 1) + b"]" * (MAX_NESTING + 1), True),
        (b'{"a":"' + b"[" * 100 + b'"}', False),
        (b'{"a":"\\"' + b"[" * 100 + b'"}', False),
        (b'{"a":"\\\\"' + b",[" * 100 + b'"}', True),
        (b"[]" * 100, False),
        (b"", False),
    ],
)
def test_levels_are_counted(text: bytes, deep: bool) -> None:
    if deep:
        with pytest.raises(TooDeep, match="nested deeper than 64 levels"):
            check_nesting(text)
    else:
        check_nesting(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"event_type":"wide","a":[' + b"[]," * 70 + b'"' + b'\\"' * 500_000, "malformed"),
        (b'{"event_type":"wide","a":' + b"[" * 1_000_000, "nesting"),
        (b'{"event_type":"wide","a":' + b'{"a":' * 200_000, "nesting"),
    ],
)
def test_a_megabyte_is_judged_in_milliseconds(text: bytes, reason: str) -> None:
    rejects: list[Reject] = []

    def judge(_: bytes) -> None:
        rejects[:] = wide_events.WORKER.run(RawBatch([text], "test", np.zeros(1, np.int64))).rejects

    took = min(wide_events.seconds(judge, text) for _ in range(3))
    assert [each.reason for each in rejects] == [reason]
    assert took < 0.25
