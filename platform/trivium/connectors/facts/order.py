"""The order of a table of facts: by the hash of the key, by key, by the time since which a row is valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from trivium.connectors.facts.hashes import Hashes, hashes

Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Order:
    """Places of rows in their new order; `first` says which of them begin a key, `hashes` are the rows' own."""

    rows: Places
    first: Mask
    hashes: Hashes


def order_of(keys: pa.Array, since: Places | None) -> Order:
    """Return the order of rows by their keys, and by `since` among those of one key."""
    found = hashes(keys)
    rows = np.argsort(found) if since is None else np.lexsort((since, found))
    ordered = found[rows]
    first, apart = _firsts(keys, rows, ordered)
    if len(apart):
        for place in apart.tolist():
            _bring_together(keys, rows, ordered, place)
        first, _ = _firsts(keys, rows, ordered)
    return Order(rows, first, ordered)


def same(left: pa.Array, right: pa.Array) -> Mask:
    """Compare keys by place; those of several fields field by field."""
    pairs = zip(left.flatten(), right.flatten(), strict=True) if pt.is_struct(left.type) else ((left, right),)
    found = np.ones(len(left), np.bool_)
    for one, other in pairs:
        found &= pc.fill_null(pc.equal(one, other), False).to_numpy(zero_copy_only=False)
    return found


def values_of(keys: pa.Array) -> list[Any]:
    """Return keys as Python values that a dict can hold; those of several fields as tuples."""
    if pt.is_struct(keys.type):
        return list(zip(*(column.to_pylist() for column in keys.flatten()), strict=True))
    values: list[Any] = keys.to_pylist()
    return values


def _firsts(keys: pa.Array, rows: Places, ordered: Hashes) -> tuple[Mask, Places]:
    """Return which rows begin a key, and those that have the hash of the row before and another key."""
    first = np.ones(len(rows), np.bool_)
    alike = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
    equal = same(keys.take(pa.array(rows[alike - 1])), keys.take(pa.array(rows[alike])))
    first[alike[equal]] = False
    return first, alike[~equal]


def _bring_together(keys: pa.Array, rows: Places, ordered: Hashes, place: int) -> None:
    """Put the rows of one key side by side where several keys have the hash of the row at `place`."""
    low, high = np.searchsorted(ordered, ordered[place], "left"), np.searchsorted(ordered, ordered[place], "right")
    numbers: dict[Any, int] = {}
    among = [numbers.setdefault(key, len(numbers)) for key in values_of(keys.take(pa.array(rows[low:high])))]
    rows[low:high] = rows[low:high][np.argsort(among, kind="stable")]
