"""Rows held in memory that answer keys: what every lookup is that knows all of its facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from trivium.contract.lookup import Answer


class KeyedRows:
    """Rows and the key of each; every answer gives the same rows, so that what is built from them can be kept."""

    def __init__(self, rows: pa.RecordBatch, keys: Sequence[Any]) -> None:
        self.rows = rows
        self._places = {key: place for place, key in enumerate(keys)}

    def __contains__(self, key: Any) -> bool:
        return key in self._places

    def answer(self, keys: pa.Array) -> Answer:
        """Return the answer to distinct, non-null keys."""
        return Answer(self.rows, pa.array(map(self._places.get, plain_keys(keys)), pa.int32()))


def plain_keys(keys: pa.Array) -> list[Any]:
    """Return keys as values that can be compared; those of several fields as tuples."""
    if pt.is_struct(keys.type):
        return list(zip(*(field.to_pylist() for field in keys.flatten()), strict=True))
    return keys.to_pylist()  # type: ignore[no-any-return]
