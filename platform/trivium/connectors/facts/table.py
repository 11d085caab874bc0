"""A table of facts in memory, or mapped into it, that answers keys, as of times too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from trivium.connectors.facts.hashes import Hashes, hashes
from trivium.connectors.facts.locks import Lease
from trivium.connectors.facts.order import Places, same, values_of
from trivium.contract.lookup import Answer

_BY_DICT: Final = 100_000
"""Keys up to which a dict finds them: 2 us for one key, where a search of hashes takes 80. Beyond, a dict costs each
process more than 100 bytes a key, and the search is faster for many keys."""


@dataclass(frozen=True)
class Index:
    """The way to rows: `hashes` of the keys, sorted, and where the rows of each begin (one more for the end).

    `starts` is None where each key has one row. `since` and `until` are the microseconds between which each row is
    valid, the latter excluded; rows of one key are sorted by them and never overlap.
    """

    hashes: Hashes
    starts: Places | None = None
    since: Places | None = None
    until: Places | None = None


class FactTable:
    """Rows in the order of an index; every answer gives the same rows, so that what is built from them can be kept.

    `lease` is what keeps the files of a mapped table in their place.
    """

    def __init__(
        self, rows: pa.RecordBatch, key: Sequence[str], key_type: pa.DataType, index: Index, lease: Lease | None = None
    ) -> None:
        self.rows, self.index, self.lease = rows, index, lease
        self._keys = key_column(rows, key, key_type)
        self._places: dict[Any, int] | None = None
        if len(index.hashes) <= _BY_DICT:
            firsts = self._keys if index.starts is None else self._keys.take(pa.array(index.starts[:-1]))
            self._places = {key: place for place, key in enumerate(values_of(firsts))}

    def answer(self, keys: pa.Array, moment: int) -> Answer:
        """Answer distinct, non-null keys; where rows have times, with the row of each that is valid at `moment`."""
        found = self._find(keys)
        if self.index.starts is not None:
            found = self._valid(found, np.full(len(keys), moment))
        return self._answered(found)

    def answer_as_of(self, keys: pa.Array, times: Places) -> Answer:
        """Answer keys, each with the row that was valid at its time."""
        return self._answered(self._valid(self._find(keys), times))

    def _answered(self, found: Places) -> Answer:
        return Answer(self.rows, pa.array(found.astype(np.int32), mask=found < 0))

    def _find(self, keys: pa.Array) -> Places:
        """Return the number of each key in the index, -1 for an unknown one."""
        if keys.type != self._keys.type:
            keys = keys.cast(self._keys.type)
        if self._places is not None:
            get = self._places.get
            return np.array([get(key, -1) for key in values_of(keys)], np.int64)
        return self._search(keys)

    def _search(self, keys: pa.Array) -> Places:
        known, starts = self.index.hashes, self.index.starts
        wanted = hashes(keys)
        # In their order neighbours are found in memory that the last one has brought near.
        order = np.argsort(wanted)
        places = np.empty(len(keys), np.int64)
        places[order] = np.searchsorted(known, wanted[order])
        found = np.full(len(keys), -1)
        left = np.arange(len(keys))
        while True:
            left = left[places[left] < len(known)]
            left = left[known[places[left]] == wanted[left]]
            if not len(left):
                return found
            rows = places[left] if starts is None else starts[places[left]]
            equal = same(self._keys.take(pa.array(rows)), keys.take(pa.array(left)))
            found[left[equal]] = places[left[equal]]
            left = left[~equal]
            places[left] += 1

    def _valid(self, found: Places, times: Places) -> Places:
        """Return the row of each key that is valid at its time, -1 where none is: a binary search of all at once."""
        index = self.index
        assert index.starts is not None
        assert index.since is not None
        assert index.until is not None
        if not len(index.since):
            return found
        known = np.flatnonzero(found >= 0)
        times = times[known]
        first = index.starts[found[known]]
        low, high = first, index.starts[found[known] + 1]
        while (searching := low < high).any():
            middle = np.where(searching, (low + high) // 2, first)
            later = index.since[middle] > times
            low = np.where(searching & ~later, middle + 1, low)
            high = np.where(searching & later, middle, high)
        row = low - 1
        valid = row >= first
        valid &= times < index.until[np.maximum(row, first)]
        rows = np.full(len(found), -1)
        rows[known[valid]] = row[valid]
        return rows


def key_column(rows: pa.RecordBatch | pa.Table, key: Sequence[str], key_type: pa.DataType) -> pa.Array:
    """Return the keys of rows: the one column, or a struct of several by place."""
    columns = [rows.column(name) for name in key]
    columns = [each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in columns]
    if not pa.types.is_struct(key_type):
        return columns[0]
    return pa.StructArray.from_arrays(columns, fields=list(key_type))
