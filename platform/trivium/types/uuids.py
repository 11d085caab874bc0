"""UUIDs as text, the form in which JSON has them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

_BYTES: Final = 16
_LENGTH: Final = 36
_HYPHENS: Final = (8, 13, 18, 23)
_DIGITS: Final = np.array([list(f"{byte:02x}".encode()) for byte in range(256)], np.uint8)


def uuid_texts(column: pa.FixedSizeBinaryArray) -> pa.StringArray:
    """Return 16 bytes each as lower-case text with hyphens (RFC 9562, section 4)."""
    count = len(column)
    data = np.frombuffer(column.buffers()[1] or b"", np.uint8, count * _BYTES, column.offset * _BYTES)
    texts = np.full((count, _LENGTH), ord("-"), np.uint8)
    places = [at for at in range(_LENGTH) if at not in _HYPHENS]
    texts[:, places] = _DIGITS[data].reshape(count, 2 * _BYTES)
    offsets = np.arange(count + 1, dtype=np.int32) * _LENGTH
    plain = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(texts.tobytes()))
    return plain if not column.null_count else plain.filter(column.is_valid()).take(_places(column))


def _places(column: pa.Array) -> pa.Array:
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    return pa.array(np.cumsum(valid) - 1, pa.int64(), mask=~valid)
