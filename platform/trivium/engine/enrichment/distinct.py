"""Distinct keys of a column, and which of them each place has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_LARGEST = 1 << 62


def distinct(values: pa.Array, times: pa.Array | None = None) -> tuple[pa.Array, pa.Array | None, pa.Int32Array]:
    """Return the distinct keys, their times, and for each place which of them it has, null where it has no key.

    With `times` the pairs are distinct; a place without a time has no key.
    """
    if times is None and not pt.is_struct(values.type):
        encoded = values.dictionary_encode()
        return encoded.dictionary, None, encoded.indices
    parts = [values.field(place) for place in range(values.type.num_fields)] if pt.is_struct(values.type) else [values]
    codes, unknown = _codes(parts if times is None else [*parts, times], values)
    known = np.flatnonzero(~unknown)
    _, first, inverse = np.unique(codes[known], return_index=True, return_inverse=True)
    index = np.zeros(len(values), np.int32)
    index[known] = inverse
    chosen = pa.array(known[first])
    return (
        values.take(chosen),
        None if times is None else times.take(chosen),
        pa.array(index, pa.int32(), mask=unknown),
    )


def _codes(parts: Sequence[pa.Array], values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return one number a place that is the same where all parts are, and the places where one is null."""
    unknown = pc.is_null(values).to_numpy(zero_copy_only=False)
    codes, size = np.zeros(len(values), np.int64), 1
    for part in parts:
        encoded = part.dictionary_encode()
        unknown = unknown | pc.is_null(part).to_numpy(zero_copy_only=False)
        width = max(1, len(encoded.dictionary))
        if size > _LARGEST // width:
            _, codes = np.unique(codes, return_inverse=True)
            size = len(codes)
        codes = codes * width + pc.fill_null(encoded.indices, 0).to_numpy()
        size *= width
    return codes, unknown
