"""Ray Data as its users write it: read_parquet, map, write_parquet, with rows in blocks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
import ray.data

from benchmarks.by_hand import COLUMNS, column_rows
from benchmarks.local_ray import local_ray
from benchmarks.peers import Run
from benchmarks.q14.bid import BidOptions
from benchmarks.q14.row.executors.bid.executor import time_type

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPTIONS = BidOptions()


@contextmanager
def column_form() -> Iterator[Run]:
    """`map_batches` over Arrow tables."""
    with _ray():
        yield run_columns


@contextmanager
def row_form() -> Iterator[Run]:
    """`filter` and `map`, one Python call a row each."""
    with _ray():
        yield run_rows


@contextmanager
def _ray() -> Iterator[None]:
    with local_ray({}):
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield


def run_columns(bids: Path, output: Path) -> None:
    """Query 14 on batches."""
    _write(_read(bids).map_batches(_batch, batch_format="pyarrow", batch_size=None), output)


def run_rows(bids: Path, output: Path) -> None:
    """Query 14 on rows."""
    _write(_read(bids).filter(_within).map(_row), output)


def _read(bids: Path) -> ray.data.Dataset:
    return ray.data.read_parquet(str(bids), columns=list(COLUMNS))


def _write(rows: ray.data.Dataset, output: Path) -> None:
    rows.write_parquet(str(output), compression="zstd", compression_level=1)


def _batch(bids: pa.Table) -> pa.Table:
    return pa.Table.from_batches([column_rows(batch) for batch in bids.to_batches()])


def _within(bid: dict[str, Any]) -> bool:
    return _OPTIONS.more_than < _OPTIONS.rate * bid["price"] < _OPTIONS.less_than


def _row(bid: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_id": bid["event_id"],
        "event_time": _EPOCH + timedelta(milliseconds=bid["dateTime"]),
        "auction": bid["auction"],
        "bidder": bid["bidder"],
        "price": _OPTIONS.rate * bid["price"],
        "bid_time_type": time_type(bid["dateTime"] // 3_600_000 % 24),
        "extra": bid["extra"],
        "c_counts": bid["extra"].count("c"),
    }
