"""Two plain processes and PyArrow: what the work costs when nothing is promised about it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.by_hand import COLUMNS, column_rows, json_rows, row_rows
from benchmarks.peers import WORKERS, Run

Convert = Callable[[pa.RecordBatch], pa.RecordBatch]


@contextmanager
def column_form() -> Iterator[Run]:
    """Each process converts whole files with the column form's kernels."""
    with _pool() as pool:
        yield partial(_run, pool, column_rows)


@contextmanager
def row_form() -> Iterator[Run]:
    """Each process calls the row form's function once a bid."""
    with _pool() as pool:
        yield partial(_run, pool, row_rows)


@contextmanager
def json_form() -> Iterator[Run]:
    """Each process decodes JSON bytes and calls the row form's function once a bid."""
    with _pool() as pool:
        yield partial(_run, pool, json_rows)


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread)


def _one_thread() -> None:
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def _run(pool: ProcessPoolExecutor, convert: Convert, bids: Path, output: Path) -> None:
    output.mkdir(parents=True)
    todo = [(path, output / path.name) for path in sorted(bids.glob("*.parquet"))]
    list(pool.map(partial(_convert_file, convert), *zip(*todo, strict=True)))


def _convert_file(convert: Convert, source: Path, target: Path) -> None:
    writer: Any = None
    with pq.ParquetFile(source) as opened:
        read = [name for name in (*COLUMNS, "value") if name in opened.schema_arrow.names]
        for batch in opened.iter_batches(65_536, columns=read, use_threads=False):
            rows = convert(batch)
            writer = writer or pq.ParquetWriter(target, rows.schema, compression="zstd", compression_level=1)
            writer.write_batch(rows)
    if writer:
        writer.close()
