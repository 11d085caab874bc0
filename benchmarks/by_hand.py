"""The executors called by hand, with no engine around them: read, call, columns."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import msgspec
import pyarrow as pa

from benchmarks.q14.bid import Bid, PricedBid
from benchmarks.q14.column.executors.bid.executor import BidExecutor as ColumnExecutor
from benchmarks.q14.row.executors.bid.executor import BidExecutor as RowExecutor

COLUMNS: Final = ("event_id", "auction", "bidder", "price", "dateTime", "extra")
ROWS: Final = RowExecutor.declaration.row_schema


class RoutedBid(Bid, tag_field="event_type", tag="bid"):
    """A bid as the log has it: with the field that names its type."""


_DECODE: Final = msgspec.json.Decoder(RoutedBid).decode


@cache
def _column_executor() -> ColumnExecutor:
    return ColumnExecutor()


@cache
def _row_executor() -> RowExecutor:
    return RowExecutor()


def column_rows(bids: pa.RecordBatch) -> pa.RecordBatch:
    """Typed columns through the column form."""
    return _column_executor().process_batch(bids.rename_columns({"dateTime": "date_time"}))[0]


def row_rows(bids: pa.RecordBatch) -> pa.RecordBatch:
    """Typed columns through the row form."""
    return process_all(structs(bids))


def json_rows(values: pa.RecordBatch) -> pa.RecordBatch:
    """JSON bytes through the row form; `Bid` as declared reads no further than its fields."""
    return process_all(map(_DECODE, values["value"].to_pylist()))


def process_all(bids: Iterable[Bid]) -> pa.RecordBatch:
    """Events through the row form, and what it returned as columns."""
    process = _row_executor().process
    return columns([row for bid in bids if (row := process(bid)) is not None])


def structs(bids: pa.RecordBatch) -> list[Bid]:
    """Typed columns as events."""
    values = zip(*(plain(bids[name]) for name in COLUMNS), strict=True)
    return [
        Bid(event_id=event_id, auction=auction, bidder=bidder, price=price, date_time=date_time, extra=extra)
        for event_id, auction, bidder, price, date_time, extra in values
    ]


def plain(column: pa.Array) -> list[Any]:
    """A column without nulls as Python values, the fast way."""
    return column.to_pylist() if pa.types.is_string(column.type) else column.to_numpy().tolist()


def columns(rows: list[PricedBid]) -> pa.RecordBatch:
    """Rows as columns."""
    arrays = [pa.array([getattr(row, field.name) for row in rows], field.type) for field in ROWS]
    return pa.RecordBatch.from_arrays(arrays, schema=ROWS)
