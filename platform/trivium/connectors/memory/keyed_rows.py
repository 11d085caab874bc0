"""Rows held in memory that answer keys: what every lookup is that knows all of its facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

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
        return Answer(self.rows, pa.array(map(self._places.get, keys.to_pylist()), pa.int32()))
