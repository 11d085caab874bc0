"""Checks of a JSON record beside its type: its nesting, and the digits of its times."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

from trivium.engine.decoding.packed_values import PackedValues
from trivium.types.nesting import MAX_NESTING, ONE_BIT, is_too_deep

FAILURES: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
_LONG_FRACTION: Final = re.compile(rb"\.\d{7}")
# A point or a digit may hide behind an escape; where one does, the digits are counted after decoding.
_ESCAPED_FRACTION: Final = re.compile(rb"\\u00(?:2[eE]|3\d)")


class TooDeep(ValueError):
    """More levels of nesting than are allowed."""


def reason_of(error: Exception) -> str:
    """Return the reject's reason for one of `FAILURES`."""
    reasons: list[tuple[type[Exception], str]] = [
        (TooDeep, "nesting"),
        (RecursionError, "nesting"),
        (UnicodeDecodeError, "encoding"),
        (msgspec.ValidationError, "invalid"),
        (msgspec.DecodeError, "malformed"),
    ]
    return next((reason for kind, reason in reasons if isinstance(error, kind)), "invalid")


def with_long_fractions(values: PackedValues) -> set[int]:
    """Return the records that may hold a time with digits below a microsecond."""
    text = values.text
    places = [match.start() for match in _LONG_FRACTION.finditer(text)]
    if np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\\")):
        places += [match.start() for match in _ESCAPED_FRACTION.finditer(text)]
    return set(values.rows_at(places))


def may_have_long_fraction(value: bytes) -> bool:
    """Return whether a text may hold a time with digits below a microsecond."""
    return bool(_LONG_FRACTION.search(value) or (b"\\" in value and _ESCAPED_FRACTION.search(value)))


def check_fractions(guard: Callable[[bytes], Any] | None, value: bytes) -> None:
    """Refuse digits below a microsecond in a declared time; other fields may hold whatever they like.

    `guard` decodes the declared times only; None where there are none.
    """
    if guard is None or not may_have_long_fraction(value):
        return
    try:
        guard(value)
    except msgspec.ValidationError as error:
        place = str(error).rpartition(" - at ")[2]
        message = f"a time has digits below a microsecond - at {place}"
        raise ValueError(message) from error


def with_many_brackets(values: PackedValues, decoded: int) -> list[int]:
    """Return the records with more opening brackets than levels are allowed.

    Each of the `decoded` ones is an object, so has one; if not even the others of the whole batch together are many
    enough, no record needs a look of its own.
    """
    opening = (np.frombuffer(values.text, np.uint8) | ONE_BIT) == ord("{")
    if int(np.count_nonzero(opening)) - decoded < MAX_NESTING:
        return []
    # Each record has a byte at least, its line feed, so each has a sum of its own.
    counts = np.add.reduceat(opening, values.bounds[:-1] - values.bounds[0], dtype=np.int64)
    many: list[int] = np.flatnonzero(counts > MAX_NESTING).tolist()
    return many


def check_nesting(value: bytes) -> None:
    """Refuse a record nested too deeply, brackets inside strings aside.

    Raises:
        TooDeep: it is.
    """
    if is_too_deep(value):
        message = f"the record is nested deeper than {MAX_NESTING} levels"
        raise TooDeep(message)
