"""Polars: one lazy query from scan to sink, on as many threads as the machine has cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from benchmarks.peers import Run
from benchmarks.q14.bid import BidOptions


@contextmanager
def column_form() -> Iterator[Run]:
    """Nothing to start: importing Polars is all."""
    yield run


def run(bids: Path, output: Path) -> None:
    """Query 14 as Polars expressions."""
    output.mkdir(parents=True)
    query(pl.scan_parquet(bids / "*.parquet")).sink_parquet(
        output / "part-0.parquet", compression="zstd", compression_level=1
    )


def query(bids: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of query 14."""
    options = BidOptions()
    hour = pl.col("event_time").dt.hour()
    day, night = hour.is_between(8, 18), (hour <= 6) | (hour >= 20)
    return (
        bids.with_columns(price=pl.col("price").cast(pl.Float64) * options.rate)
        .filter((pl.col("price") > options.more_than) & (pl.col("price") < options.less_than))
        .with_columns(event_time=pl.from_epoch("dateTime", time_unit="ms").dt.cast_time_unit("us"))
        .select(
            "event_id",
            pl.col("event_time").dt.replace_time_zone("UTC"),
            "auction",
            "bidder",
            "price",
            pl.when(day)
            .then(pl.lit("dayTime"))
            .when(night)
            .then(pl.lit("nightTime"))
            .otherwise(pl.lit("otherTime"))
            .alias("bid_time_type"),
            "extra",
            pl.col("extra").str.count_matches("c", literal=True).cast(pl.Int64).alias("c_counts"),
        )
    )
