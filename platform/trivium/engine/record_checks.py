"""What the decoder asks of a JSON record beside its type: its nesting, and the digits of its times."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

MAX_NESTING: Final = 64
FAILURES: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
_CACHED_BYTES: Final = 1 << 18
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_LONG_FRACTION: Final = re.compile(rb"\.\d{7}")
# A point or a digit may hide behind an escape; where one does, the digits are counted after decoding.
_ESCAPED_FRACTION: Final = re.compile(rb"\\u00(?:2[eE]|3\d)")


class TooDeep(ValueError):
    """More levels of nesting than are allowed."""


def reason_of(error: Exception) -> str:
    """The reject's reason for one of `FAILURES`."""
    reasons: list[tuple[type[Exception], str]] = [
        (TooDeep, "nesting"),
        (RecursionError, "nesting"),
        (UnicodeDecodeError, "encoding"),
        (msgspec.ValidationError, "invalid"),
        (msgspec.DecodeError, "malformed"),
    ]
    return next((reason for kind, reason in reasons if isinstance(error, kind)), "invalid")


def with_long_fractions(values: Sequence[bytes | None]) -> set[int]:
    """The records that may hold a time with digits below a microsecond."""
    long, escaped = _LONG_FRACTION.search, _ESCAPED_FRACTION.search
    return {
        i for i, v in enumerate(values) if v is not None and ((b"." in v and long(v)) or (b"\\" in v and escaped(v)))
    }


def check_fractions(guard: Callable[[bytes], Any] | None, value: bytes) -> None:
    """Refuse digits below a microsecond in a declared time; other fields may hold whatever they like.

    `guard` decodes the declared times only; None where there are none.
    """
    if guard is None or not (_LONG_FRACTION.search(value) or _ESCAPED_FRACTION.search(value)):
        return
    try:
        guard(value)
    except msgspec.ValidationError as error:
        place = str(error).rpartition(" - at ")[2]
        message = f"a time has digits below a microsecond - at {place}"
        raise ValueError(message) from error


def with_many_brackets(values: Sequence[bytes | None], decoded: int) -> Iterable[int]:
    """Records with more opening brackets than levels are allowed.

    Each of the `decoded` ones is an object, so has one; if not even the others of the whole batch together are many
    enough, no record needs a look of its own.
    """
    joined = np.frombuffer(b"".join(filter(None, values)), np.uint8)
    chunks = (joined[at : at + _CACHED_BYTES] for at in range(0, len(joined), _CACHED_BYTES))
    # "[" and "{" differ in one bit.
    if sum(int(np.count_nonzero((chunk | 0x20) == ord("{"))) for chunk in chunks) - decoded < MAX_NESTING:
        return ()
    return [i for i, value in enumerate(values) if value is not None and _brackets(value) > MAX_NESTING]


def check_nesting(value: bytes) -> None:
    """Refuse a record nested too deeply, brackets inside strings aside.

    Raises:
        TooDeep: it is.
    """
    if _brackets(value) <= MAX_NESTING:
        return
    depth = 0
    for match in _BRACKETS.finditer(value):
        first = match.group()[:1]
        depth += (first in b"{[") - (first in b"}]")
        if depth > MAX_NESTING:
            message = f"the record is nested deeper than {MAX_NESTING} levels"
            raise TooDeep(message)


def _brackets(value: bytes) -> int:
    return value.count(b"{") + value.count(b"[")
