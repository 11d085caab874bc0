"""The archive's days as batches, and the pipelines' lookups over it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from trivium.config.pipeline import Pipeline
from trivium.connectors import open_lookup
from trivium.contract.lookup import Lookup
from trivium.core.clock import SystemClock
from trivium.engine.batch import Batch, RawBatch, TypedBatch


def lookups_of(pipeline: Pipeline) -> dict[str, Lookup]:
    clock = SystemClock()
    return {name: open_lookup(bound, clock, pinned=True) for name, bound in pipeline.lookups.items()}


def raw_days(folder: Path) -> Iterator[Batch]:
    for path in sorted((folder / "raw").glob("day=*/*.parquet")):
        values = pq.read_table(path, partitioning=None)["value"].to_pylist()
        yield RawBatch(values, path.parent.name, np.arange(len(values)))


def typed_days(folder: Path, days: str = "*") -> Iterator[Batch]:
    for path in sorted((folder / "typed").glob(f"day={days}/*.parquet")):
        (columns,) = ds.dataset(path).to_table().combine_chunks().to_batches()
        yield TypedBatch(columns, path.parent.name, np.arange(columns.num_rows))
