"""What the hand-written loops share: the query on one bid, and rows and offsets in one Delta commit a second."""

from __future__ import annotations

import gc
import json
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.transaction import AddAction

from benchmarks.q14.bid import BidOptions
from benchmarks.q14.row.executors.bid.executor import time_type

COMMIT_SECONDS: Final = 1.0
Row = tuple[Any, ...]
SCHEMA: Final = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_time", pa.timestamp("us", "UTC")),
        ("auction", pa.int64()),
        ("bidder", pa.int64()),
        ("price", pa.float64()),
        ("bid_time_type", pa.string()),
        ("extra", pa.string()),
        ("c_counts", pa.int64()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
    ]
)
_OPTIONS: Final = BidOptions()
RATE, MORE_THAN, LESS_THAN = _OPTIONS.rate, _OPTIONS.more_than, _OPTIONS.less_than


@dataclass(frozen=True)
class Share:
    """What one process reads: `ends` holds the offset at which each partition is done."""

    servers: str
    topic: str
    table: Path
    ends: Mapping[int, int]


class Loop(Protocol):
    """Reads a share to its end, into the table."""

    def __call__(self, share: Share) -> None:
        """Do it."""


def row_of(bid: Mapping[str, Any], price: float, partition: int, offset: int) -> Row:
    """The columns of a bid whose price is within the bounds; the time is still milliseconds."""
    moment, extra = bid["dateTime"], bid["extra"]
    return (
        bid["event_id"],
        moment,
        bid["auction"],
        bid["bidder"],
        price,
        time_type(moment // 3_600_000 % 24),
        extra,
        extra.count("c"),
        partition,
        offset,
    )


class DeltaWriter:
    """Gathers rows and commits them with the positions once a second."""

    def __init__(self, share: Share) -> None:
        self.rows: list[Row] = []
        self._share, self._due = share, time.monotonic() + COMMIT_SECONDS
        self._table = DeltaTable(str(share.table))

    def commit_if_due(self, positions: Mapping[int, int]) -> None:
        """Commit if the last commit was a second ago."""
        if time.monotonic() >= self._due:
            self.commit(positions)

    def commit(self, positions: Mapping[int, int]) -> None:
        """One file and the positions, in one version of the table."""
        moved = [Transaction(f"{self._share.topic}/{number}", at) for number, at in positions.items()]
        actions = [self._write()] if self.rows else []
        self._table.create_write_transaction(
            actions, "append", self._table.schema(), commit_properties=CommitProperties(app_transactions=moved)
        )
        self._table.update_incremental()
        self.rows, self._due = [], time.monotonic() + COMMIT_SECONDS

    def _write(self) -> AddAction:
        columns = [
            pa.array(values, pa.int64()).cast(pa.timestamp("ms", "UTC")).cast(field.type)
            if field.name == "event_time"
            else pa.array(values, field.type)
            for field, values in zip(SCHEMA, zip(*self.rows, strict=True), strict=True)
        ]
        name = f"part-{uuid.uuid4()}.parquet"
        path = self._share.table / name
        pq.write_table(pa.table(columns, SCHEMA), path, compression="zstd", compression_level=1, store_schema=False)
        statistics = json.dumps({"numRecords": len(self.rows)})
        return AddAction(name, os.path.getsize(path), {}, int(time.time() * 1000), True, statistics)


def run_loops(loop: Loop, whole: Share, processes: int) -> None:
    """Make the table and run the loop in so many processes, each with its share of the partitions."""
    DeltaTable.create(str(whole.table), schema=SCHEMA)
    shares = [
        Share(whole.servers, whole.topic, whole.table, dict(list(whole.ends.items())[number::processes]))
        for number in range(processes)
    ]
    if processes == 1:
        _run(loop, shares[0])
        return
    running = [get_context("spawn").Process(target=_run, args=(loop, share)) for share in shares]
    for process in running:
        process.start()
    for process in running:
        process.join()
    if any(process.exitcode for process in running):
        raise RuntimeError(f"expected every loop to end well, got exit codes {[each.exitcode for each in running]}")


def _run(loop: Loop, share: Share) -> None:
    pa.table({"warm": [1]})  # the first conversion of a process imports pandas
    loop(share)


def without_collector() -> None:
    """Switch it off: these loops make no cycles, and it would walk through all that is gathered."""
    gc.collect()
    gc.freeze()
    gc.disable()
