"""Levels of nesting of a JSON text."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

MAX_NESTING: Final = 64
ONE_BIT: Final = 0x20
"""The bit in which "[" and "{", "]" and "}" differ."""

_SHAPE: Final = b'"[]{}'
_NOT_SHAPE: Final = bytes(byte for byte in range(256) if byte not in _SHAPE)


def is_too_deep(value: bytes) -> bool:
    """Return whether a text is nested deeper than MAX_NESTING levels, brackets inside strings aside."""
    if value.count(b"{") + value.count(b"[") <= MAX_NESTING:
        return False
    brackets = brackets_outside_strings(value) | ONE_BIT
    depth = np.cumsum(np.where(brackets == ord("{"), np.int8(1), np.int8(-1)), dtype=np.int32)
    return bool(depth.max(initial=0) > MAX_NESTING)


def brackets_outside_strings(value: bytes) -> npt.NDArray[np.uint8]:
    """Return the brackets of a JSON text that stand outside of its strings, in order.

    A string without an end reaches to the end of the text. Each step goes over the text once: a pattern that may start
    at each position of such a string takes the square of its length.
    """
    without_escapes = value.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in value else value
    shape = np.frombuffer(without_escapes.translate(None, _NOT_SHAPE), np.uint8)
    quotes = shape == ord('"')
    inside = np.cumsum(quotes, dtype=np.uint8) & 1  # wrapping round keeps odd and even apart
    brackets: npt.NDArray[np.uint8] = shape[~(quotes | inside.astype(np.bool_))]
    return brackets
