"""The log's clean-up and the ledger: what was counted stays, what the retention covers stays readable."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.sample_table import day
from tests.support.stream_table import StreamTables
from tests.support.upkeep import (
    age_data,
    age_log,
    all_rows,
    compact_events,
    hours_ago,
    ranges_are_contiguous,
    stream,
)
from trivium.core.errors import DeliveryError
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import StorageError
from trivium.delivery.maintenance import ledger
from trivium.delivery.maintenance.log import checkpoint, clean_log, expired_log
from trivium.delivery.maintenance.vacuum import orphans
from trivium.delivery.storage.storage import Storage

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def tables(tmp_path: Path) -> StreamTables:
    return StreamTables(tmp_path)


def test_erased_commits_stay_in_the_ledger(tables: StreamTables):
    stream(tables)
    tables.run({"b": day(0)})
    checkpoint(tables.uri)
    cut = tables.snapshot.version
    age_log(tables.uri, cut, 200)
    stream_on = tables.start()
    stream_on.run_epoch({"flights/0": (12, "e")})
    before, rows, positions = ledger.commits(tables.uri), all_rows(tables.uri), tables.positions()
    expired = expired_log(Storage(tables.uri), hours_ago(168))
    assert (expired.current, expired.cut, expired.versions) == (cut, cut, tuple(range(cut)))
    assert clean_log(tables.uri, expired) == cut
    assert ledger.versions(Storage(tables.uri))[0] == cut
    assert ledger.commits(tables.uri) == before
    assert [one.version for one in before] == list(range(tables.snapshot.version + 1))
    assert (all_rows(tables.uri), tables.positions()) == (rows, positions)
    ranges_are_contiguous(tables.uri)
    stream_on.run_epoch({"flights/0": (13, "e")})
    assert len(ledger.commits(tables.uri)) == len(before) + 1
    assert clean_log(tables.uri, expired_log(Storage(tables.uri), hours_ago(168))) == 0


def test_each_version_within_the_retention_stays_readable(tables: StreamTables):
    run = tables.adopted()
    for number in range(6):
        run.run_epoch({"flights/0": (number, "e")})
        if number in (1, 3):
            compact_events(tables)
            checkpoint(tables.uri)
    newest = tables.snapshot.version
    old = newest - 3
    age_log(tables.uri, old, 100)
    versions = {v: Snapshot.at(tables.uri, v).table.to_pyarrow_table().num_rows for v in range(newest + 1)}
    age_data(tables.uri, 300)
    cutoff = hours_ago(48)
    clean_log(tables.uri, expired_log(Storage(tables.uri), cutoff))
    gone = orphans(tables.uri, cutoff, ())
    for file in gone:
        Storage(tables.uri).remove(file.path)
    assert gone
    assert expired_log(Storage(tables.uri), cutoff).current == old
    for version in range(old, newest + 1):
        assert Snapshot.at(tables.uri, version).table.to_pyarrow_table().num_rows == versions[version]


def test_the_log_is_cut_at_a_checkpoint_that_is_old_itself(tables: StreamTables):
    stream(tables)
    cutoff = hours_ago(48)
    assert expired_log(Storage(tables.uri), cutoff).paths == ()
    age_log(tables.uri, tables.snapshot.version, 100)
    assert expired_log(Storage(tables.uri), cutoff).cut is None
    checkpoint(tables.uri)
    assert expired_log(Storage(tables.uri), cutoff).cut is None
    age_log(tables.uri, tables.snapshot.version, 100)
    assert expired_log(Storage(tables.uri), cutoff).cut == tables.snapshot.version


def test_a_checkpoint_that_does_not_open_keeps_the_log(tables: StreamTables):
    stream(tables)
    version = checkpoint(tables.uri)
    Path(tables.uri, f"_delta_log/{version:020}.checkpoint.parquet").write_bytes(b"PAR1")
    age_log(tables.uri, version, 100)
    with pytest.raises(DeliveryError, match="nothing was erased"):
        clean_log(tables.uri, expired_log(Storage(tables.uri), hours_ago(48)))
    assert ledger.versions(Storage(tables.uri)) == list(range(version + 1))


CLEAN = """
import sys, time
from trivium.delivery.maintenance.log import clean_log, expired_log
from trivium.delivery.storage.storage import Storage
uri = sys.argv[1]
clean_log(uri, expired_log(Storage(uri), time.time_ns() // 1000 - 48 * 3_600_000_000))
"""


@pytest.mark.parametrize("point", ["maintenance.after_ledger", "maintenance.during_clean_up"])
def test_killed_between_ledger_and_clean_up(tables: StreamTables, point: str):
    stream(tables, 6)
    version = checkpoint(tables.uri)
    age_log(tables.uri, version, 100)
    before, rows = ledger.commits(tables.uri), all_rows(tables.uri)
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "platform"), "TRIVIUM_FAULT_POINT": point}
    killed = subprocess.run([sys.executable, "-c", CLEAN, tables.uri], env=environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert ledger.versions(Storage(tables.uri))[-1] == version
    assert ledger.commits(tables.uri) == before
    expired = expired_log(Storage(tables.uri), hours_ago(48))
    assert clean_log(tables.uri, expired) == 0
    assert ledger.versions(Storage(tables.uri)) == [version]
    assert (ledger.commits(tables.uri), all_rows(tables.uri)) == (before, rows)


def test_a_copy_made_twice_counts_once(tables: StreamTables):
    stream(tables, 2)
    before = ledger.commits(tables.uri)
    assert ledger.copy(tables.uri, [0, 1, 2]) == 3
    assert ledger.copy(tables.uri, [0, 1, 2, 3]) == 1
    overlapping = Storage(tables.uri).list("_trivium/ledger")[0].path
    content = Storage(tables.uri).read(overlapping)
    Storage(tables.uri).create(overlapping.replace(f"{2:020}", f"{1:020}"), content)
    assert ledger.commits(tables.uri) == before


LEDGER_OF_0_2: Final = (
    b'{"metadata": {"generation": "2", "kind": "epoch"}, "timestamp": 1700000000000, "version": 3}\n'
    b'{"metadata": {}, "timestamp": 1700000000001, "version": 4}'
)
"""The lines of a ledger file of the release whose plain data were no msgspec structs."""


def test_a_ledger_of_the_previous_release_reads_and_a_broken_one_is_named(tmp_path: Path) -> None:
    path = f"_trivium/ledger/{3:020}-{4:020}.jsonl.gzip"
    storage = Storage(str(tmp_path))
    storage.create(path, gzip.compress(LEDGER_OF_0_2))
    first = ledger.Commit(3, 1_700_000_000_000, {"kind": "epoch", "generation": "2"})
    assert ledger.commits(str(tmp_path)) == [first, ledger.Commit(4, 1_700_000_000_001, {})]
    (tmp_path / path).write_bytes(gzip.compress(b'{"version": "3"}'))
    with pytest.raises(StorageError, match=rf"{path}: expected commits of the ledger.*at `\$\[0\]\.version`"):
        ledger.commits(str(tmp_path))
