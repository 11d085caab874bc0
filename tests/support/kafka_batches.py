"""Parcels in Parquet files: one event type `parcel`, its executor, and writers of small archives."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trivium import Event, Executor, NormalizedEvent
from trivium.config.model.sources import ParquetSource
from trivium.connectors import open_source
from trivium.connectors.archive.reader import SourceReader
from trivium.connectors.archive.slices import Slice
from trivium.engine.batch import RawBatch, source_column

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Parcel(Event, tag="parcel"):
    parcel_id: str
    grams: int = msgspec.field(name="weight")
    note: str | None = None


class ParcelRow(NormalizedEvent):
    grams: int


class ParcelExecutor(Executor[Parcel, ParcelRow]):
    """A parcel as it is."""

    def process(self, event: Parcel) -> ParcelRow:
        return ParcelRow(event_id=event.parcel_id, event_time=MOMENT, grams=event.grams)


DECLARATIONS = {"parcel": ParcelExecutor.declaration}


def columns(count: int, start: int = 0, **extra: Sequence[Any] | pa.Array) -> pa.Table:
    """Typed parcels `start` to before `start + count`."""
    numbers = range(start, start + count)
    plain = {"event_type": ["parcel"] * count, "parcel_id": [f"p{n}" for n in numbers], "weight": list(numbers)}
    return pa.table({**plain, **extra})


def records(count: int, start: int = 0, kind: pa.DataType | None = None) -> pa.Table:
    """The same parcels as JSON in the column `value`."""
    rows = columns(count, start).to_pylist()
    return pa.table({"value": pa.array([msgspec.json.encode(row) for row in rows], kind or pa.binary())})


def write(path: Path, table: pa.Table, rows_per_group: int = 1000, modified: int | None = None) -> Path:
    """A Parquet file; `modified` sets its time (seconds since 1970)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows_per_group)
    if modified is not None:
        os.utime(path, (modified, modified))
    return path


def reader(path: Path, **settings: Any) -> SourceReader:
    """A reader of typed parcels, or of records when `value_column` is set."""
    return open_source(ParquetSource(type="parquet", path=str(path), **settings), DECLARATIONS, "event_type")


def ids(part: Slice) -> list[str]:
    """The parcels of a slice, in order, whichever form it has."""
    if isinstance(part.batch, RawBatch):
        found: list[Mapping[str, Any]] = [msgspec.json.decode(value or b"{}") for value in part.batch.values]
        return [row["parcel_id"] for row in found]
    return part.batch.columns.column("parcel_id").to_pylist()


def places(part: Slice) -> list[tuple[str, int, str | None]]:
    """File, position and source day of each event of a slice."""
    source = source_column(part.batch.source, np.arange(len(part.batch)))
    return list(zip(source.to_pylist(), part.batch.positions.tolist(), part.days.tolist(), strict=True))
