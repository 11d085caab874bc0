"""Compaction beside streams and batch runs that commit, and compaction that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pyarrow.dataset as pad
import pytest

from tests.support.sample_table import day
from tests.support.stream_table import Run, StreamTables
from tests.support.upkeep import all_rows, compact_events, files_open_and_count, ranges_are_contiguous, stream
from trivium.core.clock import SystemClock
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.maintenance import ledger
from trivium.delivery.maintenance.compaction import Compacted

ROOT = Path(__file__).resolve().parents[3]
EPOCHS, RUNS = 25, 6
COMPACT = """
import sys
from trivium.core.clock import SystemClock
from trivium.delivery.maintenance.compaction import compact, small_file_groups
from trivium.delivery.files.rewrite import EVENTS
from trivium.delivery.delta.snapshot import Snapshot
uri = sys.argv[1]
compact(uri, EVENTS, small_file_groups(Snapshot.latest(uri), EVENTS, lambda _: True), SystemClock())
"""


@pytest.fixture
def tables(tmp_path: Path) -> StreamTables:
    return StreamTables(tmp_path)


def run_epochs(run: Run) -> None:
    for number in range(EPOCHS):
        run.run_epoch({"flights/0": (4 * number, "eedr"), "flights/1": (2 * number, "e.")})


def run_batches(tables: StreamTables) -> None:
    for number in range(RUNS):
        tables.run({f"x{each}": day(each % 2) for each in range(6)}, delay=number)


def keep_compacting(tables: StreamTables, over: threading.Event) -> Compacted:
    done = Compacted()
    while not over.is_set():
        done = done.plus(compact_events(tables))
    return done


def test_stream_batch_and_two_compactions_at_once(tables: StreamTables):
    tables.clock = SystemClock()
    run, over = tables.adopted(), threading.Event()
    with ThreadPoolExecutor(4) as pool:
        compacting = [pool.submit(keep_compacting, tables, over) for _ in range(2)]
        writing = [pool.submit(run_epochs, run), pool.submit(run_batches, tables)]
        wait(writing)
        over.set()
    for each in writing:
        each.result()
    done = compacting[0].result().plus(compacting[1].result())
    assert done.files_after > 0
    assert done.lost == 0
    assert any(int(commit.metadata.get("attempt", 1)) > 1 for commit in ledger.commits(tables.uri)), "nobody raced"
    first = {("flights/0", 4 * number + each) for number in range(EPOCHS) for each in (0, 1)}
    assert tables.rows() == Counter(first | {("flights/1", 2 * number) for number in range(EPOCHS)})
    assert tables.counted_letters() == Counter(("flights/0", 4 * number + 3) for number in range(EPOCHS))
    assert tables.positions().next == {"flights/0": 4 * EPOCHS, "flights/1": 2 * EPOCHS}
    batch = tables.snapshot.table.to_pyarrow_dataset().to_table(["event_id", "delay"], pad.field("_runtime") == "batch")
    assert sorted(batch.to_pylist(), key=lambda row: row["event_id"]) == [
        {"event_id": f"x{each}", "delay": RUNS - 1} for each in range(6)
    ]
    assert files_open_and_count(tables.uri) == 3 * EPOCHS + 6
    ranges_are_contiguous(tables.uri)


@pytest.mark.parametrize("point", ["compaction.before_commit", "compaction.after_commit"])
def test_a_killed_compaction_changes_nothing_that_is_read(tables: StreamTables, point: str):
    stream(tables)
    rows = all_rows(tables.uri)
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "platform"), "TRIVIUM_FAULT_POINT": point}
    killed = subprocess.run([sys.executable, "-c", COMPACT, tables.uri], env=environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(tables.snapshot.active) == (1 if point.endswith("after_commit") else 4)
    assert all_rows(tables.uri) == rows
    compact_events(tables)
    assert (len(tables.snapshot.active), all_rows(tables.uri)) == (1, rows)


def test_each_version_holds_whole_epochs_while_compaction_runs(tables: StreamTables):
    run = tables.adopted()
    for number in range(6):
        run.run_epoch({"flights/0": (2 * number, "ee"), "flights/1": (2 * number, "ee")})
        if number % 2:
            compact_events(tables)
    for version in range(1, tables.snapshot.version + 1):
        snapshot = Snapshot.at(tables.uri, version)
        epochs = sum(one.metadata.get("kind") == "epoch" for one in ledger.commits(tables.uri)[: version + 1])
        assert snapshot.table.to_pyarrow_dataset().count_rows() == 4 * epochs
