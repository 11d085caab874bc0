"""Maintenance in tests: files made old, compactions, and what has to hold after anything."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tests.support.sample_table import SCHEMA
from tests.support.stream_table import PARTITIONS, StreamTables
from trivium.core.clock import Clock, SystemClock
from trivium.delivery.commit.committer import Change, commit
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.rewrite import DEAD_LETTERS, EVENTS
from trivium.delivery.maintenance import ledger
from trivium.delivery.maintenance.compaction import Compacted, compact, small_file_groups
from trivium.delivery.storage.storage import Storage

HOUR_US = 3_600_000_000


class LaterClock(SystemClock):
    """The machine's clock some hours on: everything on storage is that much older."""

    def __init__(self, hours: int) -> None:
        self._hours = hours

    def now_us(self) -> int:
        return super().now_us() + self._hours * 3_600_000_000


def hours_ago(hours: float) -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000 - int(hours * HOUR_US)


def age(path: str | Path, hours: float) -> None:
    """Make a file that old."""
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def age_log(uri: str, up_to: int, hours: float) -> None:
    """Make the log's files of versions up to `up_to` that old."""
    for path in Path(uri, "_delta_log").iterdir():
        if path.name[:20].isdigit() and int(path.name[:20]) <= up_to:
            age(path, hours)


def age_data(uri: str, hours: float) -> None:
    """Make all data files that old."""
    for path in Path(uri).rglob("*.parquet"):
        if "_delta_log" not in path.parts:
            age(path, hours)


def any_file(_file: ActiveFile) -> bool:
    return True


def stream(tables: StreamTables, epochs: int = 4) -> None:
    """A run of some epochs: three offsets of partition 0 and two of partition 1 in each, three rows."""
    run = tables.adopted()
    for number in range(epochs):
        run.run_epoch({"flights/0": (3 * number, "eed"), "flights/1": (2 * number, "e.")})


def compact_events(tables: StreamTables) -> Compacted:
    return compact(tables.uri, EVENTS, small_file_groups(tables.snapshot, EVENTS, any_file), tables.clock)


def compact_letters(tables: StreamTables, settled: Callable[[ActiveFile], bool] = any_file) -> Compacted:
    groups = small_file_groups(Snapshot.latest(tables.letters_uri), DEAD_LETTERS, settled)
    return compact(tables.letters_uri, DEAD_LETTERS, groups, tables.clock)


@dataclass
class _Append:
    files: tuple[DataFile, ...]
    fault_point: str | None = None

    def change(self, _snapshot: Snapshot) -> Change:
        return Change(self.files)

    def landed(self, snapshot: Snapshot) -> bool:
        return self.files[0].path in snapshot.active


def append_files(uri: str, files: tuple[DataFile, ...], clock: Clock) -> None:
    """Files in a commit of their own, as neither runtime would add them."""
    commit(uri, _Append(files), clock)


def all_rows(uri: str) -> Counter[str]:
    """Every row of a table with all its columns, as text."""
    return Counter(map(repr, Snapshot.latest(uri).table.to_pyarrow_table(columns=SCHEMA.names).to_pylist()))


def files_open_and_count(uri: str) -> int:
    """I4: every active file is there and has its recorded size and rows; returns the rows of all."""
    snapshot, rows = Snapshot.latest(uri), 0
    for each in pa.table(snapshot.table.get_add_actions(flatten=True)).to_pylist():
        found = Storage(uri).stat(each["path"])
        assert found is not None
        assert found.size == each["size_bytes"]
        assert snapshot.rows_of([each["path"]], SCHEMA).num_rows == each["num_records"]
        rows += each["num_records"]
    return rows


def ranges_are_contiguous(uri: str) -> None:
    """I2 and I3, from ledger and log."""
    at = dict.fromkeys(PARTITIONS, 0)
    for one in ledger.commits(uri):
        for name, each in json.loads(one.metadata.get("ranges", "{}")).items():
            assert each["start"] == at[name]
            at[name] = each["next"]
