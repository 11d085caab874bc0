"""Growth of every scanner of untrusted bytes: twice the bytes take at most two and a half times the time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from tests.support.wide_events import WORKER, WideExecutor, seconds
from trivium.core.errors import TriviumError
from trivium.engine.batch import RawBatch
from trivium.engine.decoding.last_values import LastValues
from trivium.engine.decoding.packed_values import pack
from trivium.engine.decoding.record_checks import (
    check_nesting,
    may_have_long_fraction,
    with_long_fractions,
    with_many_brackets,
)
from trivium.engine.requests.body import events_of

GROWTH = 2.5
FIRST_BYTES = 1 << 12
MOST_BYTES = 1 << 20
MEASURABLE_SECONDS = 0.002
QUICK_SECONDS = 0.05
"""For a megabyte."""
BRACKETS = b"[]," * 70


RECORD = b'{"event_type":"wide","name":"n","%s":%s}'


def run(*values: bytes) -> None:
    WORKER.run(RawBatch(list(values), "test", np.arange(len(values))))


def decode(text: bytes) -> None:
    """The text as a record, as a record cut off, as a field nobody declared, and as one item of a deep list."""
    run(text, RECORD % (b"other", text), b'{"event_type":"wide","other":[' + BRACKETS + text)


def decode_declared(text: bytes) -> None:
    """The text in place of each declared field's value, bare and quoted."""
    for name in (b"name", b"at", b"price", b"share", b"count", b"data", b"words", b"event_type"):
        run(RECORD % (name, text), RECORD % (name, b'"' + text + b'"'))


def decode_records(text: bytes) -> None:
    """Many short records, each of which needs a look of its own."""
    run(*[RECORD % (b"other", b'"0.1234567' + text[at : at + 32] + b'"') for at in range(0, len(text), 32)])


def decode_repeated(text: bytes) -> None:
    """The text as a wrong value before a right one, and as many wrong ones."""
    run(
        RECORD % (b"words", b'"' + text + b'","words":[]'),
        RECORD % (b"words", b"1" + b',"words":1' * (len(text) // 10)),
    )
    LastValues(WideExecutor.declaration.event_fields)(b'{"name":' + b'0,"name":' * (len(text) // 10) + b"1}")


def take_apart(text: bytes) -> None:
    """The text as a request's list, as one event of it, and behind one that is no JSON."""
    for body in (b"[" + text, b"[01," + text + b",1]", b'[01,"' + text + b'"]'):
        with suppress(TriviumError):
            events_of(body, 1 << 30)


SCANNERS: dict[str, Callable[[bytes], Any]] = {
    "events of a request": take_apart,
    "nesting of a record": check_nesting,
    "nesting of a record cut off": lambda text: check_nesting(BRACKETS + b'"' + text),
    "brackets of packed records": lambda text: with_many_brackets(pack([text, text]), 2),
    "fractions of packed records": lambda text: with_long_fractions(pack([text, text])),
    "fractions of a record": may_have_long_fraction,
    "records": decode,
    "values of declared fields": decode_declared,
    "many records": decode_records,
    "values of a repeated field": decode_repeated,
}
FAMILIES: dict[str, bytes] = {
    "escaped quotes": rb"\"",
    "quotes": b'"',
    "backslashes": rb"\\",
    "opening brackets": b"[",
    "opening braces": b"{",
    "closing brackets": b"]",
    "pairs": b"[{}]",
    "objects": b'{"a":',
    "lists in strings": b'"[',
    "commas": b",",
    "numbers in a list": b"1,",
    "blanks": b" ",
    "line feeds": b"\n",
    "digits": b"1",
    "zeros": b"0",
    "points and digits": b".1234567",
    "exponents": b"1e",
    "underscored digits": b"1_",
    "escaped digits": rb"\u0031",
    "half surrogates": rb"\ud800",
    "base64": b"QUJD",
    "no UTF-8": b"\xff",
    "a mix": b'{"a":["\\"", 1.5, "\\\\"',
}
PREFIXES = {"": b"", " after an opening quote": b'"', " after a point": b"0."}


@pytest.mark.parametrize("scanner", SCANNERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_twice_the_bytes_take_at_most_two_and_a_half_times_the_time(scanner: str, family: str) -> None:
    for prefix, first in PREFIXES.items():
        took, growth = measured(SCANNERS[scanner], lambda size, first=first: first + FAMILIES[family] * size)
        assert growth <= GROWTH, f"{scanner}, {family}{prefix}: {growth:.1f} times, to {took * 1e3:.0f} ms"


def measured(scan: Callable[[bytes], Any], text: Callable[[int], bytes]) -> tuple[float, float]:
    """Seconds and mean growth over three doublings, from the first size whose time can be measured.

    Three, because a text that outgrows a cache of the processor costs more once; the square of three is 64 times. Text
    of a megabyte and more that is quick passes: with the square of its bytes it would take seconds. Whatever else runs
    on the machine only adds time, so a bad growth is looked at again.
    """
    size = FIRST_BYTES // len(text(2)) + 1
    while (took := seconds(scan, text(size))) < MEASURABLE_SECONDS:
        if len(text(size)) > MOST_BYTES:
            return took, 1.0
        size *= 2
    growth, large = 100.0, 0.0
    for _ in range(8):
        large = seconds(scan, text(8 * size))
        growth = min(growth, (large / took) ** (1 / 3))
        if growth <= GROWTH or _is_quick(large, len(text(8 * size))):
            return large, min(growth, GROWTH)
        took = seconds(scan, text(size))
    return large, growth


def _is_quick(took: float, size: int) -> bool:
    return size >= MOST_BYTES and took < QUICK_SECONDS * size / MOST_BYTES
