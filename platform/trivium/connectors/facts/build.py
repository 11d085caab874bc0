"""Building of a table of facts: keys and times proven to be such that each question has one answer."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from trivium.connectors.facts.order import Order, Places, order_of, values_of
from trivium.connectors.facts.table import FactTable, Index, key_column
from trivium.core.errors import LookupAnswerError
from trivium.types.spec import UTC_MICROSECONDS

ALWAYS: Final = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
"""Since and until of a row that was always valid and still is."""


@dataclass(frozen=True)
class Validity:
    """The microseconds since which and until which rows are valid; without `until`, to the next row of the key."""

    since: Places
    until: Places | None


@dataclass(frozen=True)
class Origins:
    """The origins of rows: files in the rows' order, each with its number of rows."""

    lookup: str
    files: Sequence[str]
    counts: Sequence[int]

    def place(self, row: int) -> str:
        """Return file and row of a row of them all."""
        ends = list(accumulate(self.counts))
        at = bisect_right(ends, row)
        return f"{self.files[at]} row {row - (ends[at - 1] if at else 0):,}"


def built(
    rows: pa.RecordBatch, key: Sequence[str], key_type: pa.DataType, validity: Validity | None, origins: Origins
) -> FactTable:
    """Return the table of facts of rows.

    Raises:
        LookupAnswerError: a row has no key; a key has two rows, or two that are valid at one time.
    """
    keys = key_column(rows, key, key_type)
    _check_given(keys, origins)
    order = order_of(keys, None if validity is None else validity.since)
    if validity is None:
        _check_single(keys, order, origins)
        index = Index(order.hashes)
    else:
        starts = np.append(np.flatnonzero(order.first), len(order.rows))
        since = validity.since[order.rows]
        until = _until(since, order.first, validity.until, order.rows)
        _check_apart(keys, order, since, until, origins)
        index = Index(order.hashes[order.first], starts, since, until)
    return FactTable(rows.take(pa.array(order.rows)), key, key_type, index)


def microseconds(column: pa.Array, absent: int) -> Places:
    """Return times, or days at their beginning in UTC, as microseconds since 1970; `absent` stands for null."""
    if pt.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pt.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", UTC_MICROSECONDS.tz if column.type.tz else None))
    found: Places = pc.fill_null(column.cast(pa.int64()), absent).to_numpy(zero_copy_only=False)
    return found


def _until(since: Places, first: Any, given: Places | None, rows: Places) -> Places:
    if given is not None:
        return given[rows]
    following = np.append(since[1:], ALWAYS[1])
    following[np.append(first[1:], True)] = ALWAYS[1]
    return following


def _check_given(keys: pa.Array, origins: Origins) -> None:
    absent = np.zeros(len(keys), np.bool_)
    for column in keys.flatten() if pt.is_struct(keys.type) else [keys]:
        if column.null_count:
            absent |= column.is_null().to_numpy(zero_copy_only=False)
    if absent.any():
        where = origins.place(int(np.flatnonzero(absent)[0]))
        raise LookupAnswerError(
            f"lookup {origins.lookup}: {int(absent.sum())} rows have no key, the first is {where}. "
            "Try: remove them, or give them a key"
        )


def _check_single(keys: pa.Array, order: Order, origins: Origins) -> None:
    again = np.flatnonzero(~order.first)
    if not len(again):
        return
    twice = int(order.first[again - 1].sum())
    raise LookupAnswerError(
        f"lookup {origins.lookup}: expected one row a key, got {twice} keys more than once, such as "
        f"{_pair(keys, order, int(again[0]), origins)}. Try: remove the repeated rows, or name the column since which "
        "rows are valid in valid_from"
    )


def _check_apart(keys: pa.Array, order: Order, since: Places, until: Places, origins: Origins) -> None:
    name = origins.lookup
    backwards = np.flatnonzero(until < since)
    if len(backwards):
        row = int(order.rows[backwards[0]])
        raise LookupAnswerError(
            f"lookup {name}: expected rows that are valid from a time to a later one, got {len(backwards)} that end "
            f"before they begin, such as {_key(keys, row)} in {origins.place(row)}. Try: repair them"
        )
    within = np.flatnonzero(~order.first)
    repeated = within[since[within] == since[within - 1]]
    if len(repeated):
        raise LookupAnswerError(
            f"lookup {name}: expected one row a key and time, got {len(repeated)} rows that begin with another of "
            f"their key, such as {_pair(keys, order, int(repeated[0]), origins)}. Try: remove the repeated rows"
        )
    overlapping = within[until[within - 1] > since[within]]
    if len(overlapping):
        raise LookupAnswerError(
            f"lookup {name}: expected one valid row a key at any time, got {len(overlapping)} rows that begin before "
            f"the one before ends, such as {_pair(keys, order, int(overlapping[0]), origins)}. "
            "Try: end each row where the next begins, or leave valid_to out"
        )


def _pair(keys: pa.Array, order: Order, place: int, origins: Origins) -> str:
    """Name the key at a place of the order, and its row and the one before."""
    one, other = sorted(order.rows[[place - 1, place]].tolist())
    return f"{_key(keys, one)} in {origins.place(one)} and {origins.place(other)}"


def _key(keys: pa.Array, row: int) -> str:
    text = repr(values_of(keys.slice(row, 1))[0])
    return text if len(text) <= 80 else f"{text[:80]}…"
