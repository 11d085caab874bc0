"""`./dev bench engine_overhead`: the engine beside a loop of decoder, executor and columns written by hand.

Both run in this process, in turn, over the same batches in memory; nothing is read or written. What the engine adds is
routing, checking every value against its declaration, counting, and nine lineage columns.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.by_hand import COLUMNS, column_rows, json_rows, row_rows
from benchmarks.measure import REPOSITORY
from benchmarks.nexmark import prepare
from benchmarks.q14.column.executors.bid.executor import BidExecutor as ColumnExecutor
from benchmarks.q14.row.executors.bid.executor import BidExecutor as RowExecutor
from benchmarks.report import Goal, machine, show
from trivium import Executor
from trivium.config.worker_spec import spec_of
from trivium.engine.batch import Batch, RawBatch, TypedBatch
from trivium.engine.blocking import BlockingWorker

LIMIT: Final = 1.3
ByHand = Callable[[pa.RecordBatch], pa.RecordBatch]
Case = tuple[str, type[Executor[Any, Any]], str, ByHand]
CASES: Final[tuple[Case, ...]] = (
    ("row form, JSON", RowExecutor, "raw", json_rows),
    ("row form, typed columns", RowExecutor, "typed", row_rows),
    ("column form, typed columns", ColumnExecutor, "typed", column_rows),
)


@dataclass(frozen=True)
class Overhead:
    """A case with both sides' microseconds a bid."""

    case: str
    engine: float
    by_hand: float

    @property
    def goal(self) -> Goal:
        """The ratio of the two."""
        figures = f"{self.engine:.3f} us a bid, by hand {self.by_hand:.3f} us"
        return Goal(f"{self.case}: {figures}", self.engine / self.by_hand, LIMIT)


def main() -> None:
    """Measure every case and report it."""
    parser = argparse.ArgumentParser(prog="./dev bench engine_overhead", description="What the engine adds.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="bids (default 1,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side (default 5)")
    told = parser.parse_args()
    where, bids = machine(), prepare(REPOSITORY / "data" / "bench", told.rows)
    found = [measure(case, getattr(bids, case[2]), told.rounds) for case in CASES]
    show([], [each.goal for each in found], where)
    output = REPOSITORY / "benchmarks" / "results" / "engine_overhead.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"machine": where, "cases": [asdict(each) for each in found]}, indent=2) + "\n")
    print(f"written to {output}")


def measure(case: Case, folder: Path, rounds: int) -> Overhead:
    """The medians of both sides, taking turns over the same batches."""
    name, executor, _, by_hand = case
    batches = read(folder)
    worker = BlockingWorker(spec_of([executor]), {})
    engine_seconds, hand_seconds = [], []
    for _ in range(rounds):
        hand_seconds.append(_seconds(lambda: sum(by_hand(batch).num_rows for batch in batches)))
        engine_seconds.append(_seconds(lambda: sum(emitted_rows(worker, batch) for batch in batches)))
    bids = sum(batch.num_rows for batch in batches)
    return Overhead(name, median(engine_seconds) / bids * 1e6, median(hand_seconds) / bids * 1e6)


def read(folder: Path) -> list[pa.RecordBatch]:
    """All batches of a folder as a runtime would hand them on."""
    batches: list[pa.RecordBatch] = []
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as opened:
            names = ["value"] if "value" in opened.schema_arrow.names else ["event_type", *COLUMNS]
            batches += opened.iter_batches(65_536, columns=names)
    return batches


def emitted_rows(worker: BlockingWorker, columns: pa.RecordBatch) -> int:
    """How many rows the engine makes of a batch."""
    outcomes = worker.run(as_batch(columns))
    return sum(emitted.rows.num_rows for emitted in outcomes.emitted.values())


def as_batch(columns: pa.RecordBatch) -> Batch:
    """Columns as the engine takes them."""
    positions = np.arange(columns.num_rows)
    if "value" in columns.schema.names:
        return RawBatch(columns["value"].to_pylist(), "memory", positions)
    return TypedBatch(columns, "memory", positions)


def _seconds(work: Callable[[], int]) -> float:
    gc.collect()
    start = time.perf_counter()
    if not work():
        raise ValueError("expected rows, got none: nothing was measured")
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
