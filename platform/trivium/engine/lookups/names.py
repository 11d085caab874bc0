"""Names of keys: hashable Python values, equal where the keys (and times) are equal, made a column at a time."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pyarrow as pa
import pyarrow.types as pt


def names_of(keys: pa.Array, times: pa.TimestampArray | None) -> list[Hashable]:
    """Return the name of each key, or of each pair of a key and a time."""
    names = _plain(keys)
    return names if times is None else list(zip(names, _plain(times), strict=True))


def _plain(keys: pa.Array) -> list[Any]:
    if pt.is_struct(keys.type):
        return list(zip(*(_plain(each) for each in keys.flatten()), strict=True))
    if pt.is_dictionary(keys.type):
        keys = keys.dictionary_decode()
    if pt.is_timestamp(keys.type) or pt.is_time64(keys.type) or pt.is_duration(keys.type):
        keys = keys.view(pa.int64())
    elif pt.is_date32(keys.type) or pt.is_time32(keys.type):
        keys = keys.view(pa.int32())
    return keys.to_pylist()  # type: ignore[no-any-return]
