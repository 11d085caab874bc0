"""64-bit hashes of keys, a column at a time: equal keys have equal hashes, in every process of every machine.

Numbers, times and the like are hashed as the words they lie in; texts eight bytes at a time, all texts side by side,
with what numpy has (3 million texts of 14 bytes: 0.2 s). Whoever searches by them compares the keys themselves too.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

Hashes = npt.NDArray[np.uint64]

_FIRST: Final = np.uint64(0x9E3779B97F4A7C15)
_ODD: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_HALF: Final = np.uint64(32)
_WORD: Final = 8
_LONG: Final = 512
"""Bytes of a text beyond which it is hashed alone: side by side, one long text costs a step of all for each word."""


def hashes(keys: pa.Array) -> Hashes:
    """Return the hash of each key; the fields of a composite key, a struct, by place."""
    if pt.is_struct(keys.type):
        found = np.full(len(keys), _FIRST)
        for column in keys.flatten():
            found = _mixed(found ^ hashes(column))
        return found
    if pt.is_string(keys.type) or pt.is_binary(keys.type):
        return _texts(keys.cast(pa.large_binary()))
    if pt.is_large_string(keys.type) or pt.is_large_binary(keys.type):
        return _texts(keys.cast(pa.large_binary()))
    if pt.is_boolean(keys.type):
        keys = keys.cast(pa.uint8())
    return _words(keys)


def _mixed(values: Hashes) -> Hashes:
    """Spread each value over all 64 bits: the two last rounds of splitmix64."""
    values = (values ^ (values >> _HALF)) * _ODD[0]
    values = (values ^ (values >> _HALF)) * _ODD[1]
    return values ^ (values >> _HALF)


def _words(keys: pa.Array) -> Hashes:
    """Hash values of a fixed width by their bytes."""
    width = keys.type.bit_width // 8
    data = keys.buffers()[1]
    if data is None or not len(keys):
        return np.full(len(keys), _FIRST)
    plain = np.frombuffer(data, np.uint8, len(keys) * width, keys.offset * width).reshape(len(keys), width)
    if pt.is_floating(keys.type):  # -0.0 equals 0.0
        plain = (keys.to_numpy(zero_copy_only=False) + 0.0).view(np.uint8).reshape(len(keys), width)
    padded = np.zeros((len(keys), -(-width // _WORD) * _WORD), np.uint8)
    padded[:, :width] = plain
    found = np.full(len(keys), _FIRST)
    for column in padded.view(np.uint64).T:
        found = _mixed(found ^ column)
    return found


def _texts(keys: pa.Array) -> Hashes:
    _, offsets, data = keys.buffers()
    if not len(keys):
        return np.empty(0, np.uint64)
    ends = np.frombuffer(offsets, np.int64, len(keys) + 1, keys.offset * 8)
    first, sizes = ends[:-1], np.diff(ends)
    low, high = int(ends[0]), int(ends[-1])
    padded = np.zeros(high - low + _WORD, np.uint8)
    if data is not None:
        padded[: high - low] = np.frombuffer(data, np.uint8, high - low, low)
    words = np.ndarray(high - low + 1, "<u8", padded, strides=(1,))
    found = _mixed(_FIRST ^ sizes.astype(np.uint64))
    rows: npt.NDArray[np.int64] | slice = slice(None)
    for at in range(0, max(1, min(int(sizes.max()), _LONG)), _WORD):
        if at:
            rows = np.flatnonzero(sizes > at)
        left = np.minimum(sizes[rows] - at, _WORD)
        word = words[first[rows] - low + at] & _MASKS[np.maximum(left, 0)]
        found[rows] = _mixed(found[rows] ^ word)
    for row in np.flatnonzero(sizes > _LONG):
        text = padded[first[row] - low :][: sizes[row]].tobytes()
        found[row] = int.from_bytes(hashlib.blake2b(text, digest_size=_WORD).digest(), "little")
    return found


_MASKS: Final = np.array([(1 << (8 * count)) - 1 for count in range(_WORD + 1)], np.uint64)
