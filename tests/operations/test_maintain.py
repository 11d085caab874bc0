"""Maintenance of a pipeline's two tables as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import write_deltalake

from tests.support.sample_table import day as day_number
from tests.support.sample_table import event_rows, write_rows
from tests.support.stream_table import StreamTables
from tests.support.upkeep import LaterClock, age, age_log, all_rows, ranges_are_contiguous
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.maintenance import ledger
from trivium.operations.errors import ArgumentError
from trivium.operations.maintain import maintain, preview
from trivium.operations.tables import Tables

ROOT = Path(__file__).resolve().parents[2]
MAINTAIN = """
import sys
from tests.support.upkeep import LaterClock
from trivium.operations.maintain import maintain
from trivium.operations.tables import Tables
maintain(Tables(*sys.argv[1:]), 24, LaterClock(25))
"""


@pytest.fixture
def tables(tmp_path: Path) -> StreamTables:
    """A stream of two generations, letters in both, and batch."""
    made = StreamTables(tmp_path)
    run = made.adopted()
    for number in range(3):
        run.run_epoch({"flights/0": (3 * number, "eer")})
    run = made.start()
    for number in range(3, 6):
        run.run_epoch({"flights/0": (3 * number, "eer")})
    made.run({"b": day_number(1)})
    return made


def named(tables: StreamTables) -> Tables:
    return Tables(tables.uri, tables.letters_uri)


def tree(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def state(tables: StreamTables) -> list:
    return [all_rows(tables.uri), tables.counted_letters(), tables.all_letters(), tables.positions()]


def test_a_first_and_a_later_maintenance(tables: StreamTables):
    before, commits = state(tables), ledger.commits(tables.uri)
    table, letters = maintain(named(tables))
    assert (table.files_before, table.files_after, table.compacted.rows) == (7, 2, 12)
    assert (letters.files_before, letters.files_after, letters.compacted.rows) == (6, 4, 3)
    assert (table.log_entries_removed, table.orphans_removed) == (0, 0)
    assert state(tables) == before

    newest = tables.snapshot.version
    table, letters = maintain(named(tables), 24, LaterClock(25))
    assert table.log_entries_removed == table.ledger_commits_added == newest
    assert (table.orphans_removed, letters.orphans_removed) == (6, 3)
    assert table.compacted.files_before == 0
    assert state(tables) == before
    assert ledger.commits(tables.uri)[: len(commits)] == commits
    ranges_are_contiguous(tables.uri)
    assert maintain(named(tables), 24, LaterClock(25))[0].removed_bytes == 0
    tables.start().run_epoch({"flights/0": (18, "ee")})
    assert sum(tables.rows().values()) == 14


def test_a_preview_changes_nothing_and_says_what_comes(tables: StreamTables, tmp_path: Path):
    maintain(named(tables))
    run = tables.start()
    for number in range(6, 8):
        run.run_epoch({"flights/0": (3 * number, "eed")})
    there = tree(tmp_path)
    said = preview(named(tables), 24, LaterClock(25))
    assert tree(tmp_path) == there
    done = maintain(named(tables), 24, LaterClock(25))
    for before, after in zip(said, done, strict=True):
        assert before.files_after == after.files_after
        assert before.log_entries_removed == after.log_entries_removed > 0
        assert before.compacted.files_before == after.compacted.files_before > 0


def test_a_run_under_way_keeps_its_files(tables: StreamTables):
    run = tables.start()
    proposal = run.proposal({"flights/0": (18, "ee")})
    maintain(named(tables), 24, LaterClock(23))
    run.commit(proposal)
    assert sum(tables.rows().values()) == 14


def test_an_orphan_goes_and_a_version_of_the_retention_stays(tables: StreamTables):
    (orphan,) = write_rows(tables.uri, event_rows({"never": day_number(3)}))
    for path in (*tables.snapshot.active, orphan.path):
        age(Path(tables.uri, path), 100)
    version = tables.snapshot.version
    age_log(tables.uri, version - 2, 100)
    table, _ = maintain(named(tables), 48)
    assert table.orphans_removed == 1
    assert Snapshot.at(tables.uri, version).table.to_pyarrow_table().num_rows == 13


@pytest.mark.parametrize(
    "point", ["compaction.after_commit", "maintenance.after_ledger", "maintenance.during_clean_up"]
)
def test_killed_maintenance_is_finished_by_the_next(tables: StreamTables, point: str):
    maintain(named(tables))
    run = tables.start()
    for number in range(6, 8):
        run.run_epoch({"flights/0": (3 * number, "eed")})
    before, commits = state(tables), ledger.commits(tables.uri)
    environ = {**os.environ, "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}", "TRIVIUM_FAULT_POINT": point}
    command = [sys.executable, "-c", MAINTAIN, tables.uri, tables.letters_uri]
    assert subprocess.run(command, env=environ, check=False).returncode == -signal.SIGKILL
    assert state(tables) == before
    maintain(named(tables), 24, LaterClock(25))
    assert state(tables) == before
    assert ledger.commits(tables.uri)[: len(commits)] == commits
    ranges_are_contiguous(tables.uri)


def test_a_short_retention_is_refused(tables: StreamTables):
    with pytest.raises(ArgumentError, match=r"expected a retention of 24 hours or more, got 1.*not committed yet"):
        maintain(named(tables), 1)


def test_tables_of_nobody_are_refused(tmp_path: Path):
    with pytest.raises(ArgumentError, match="there is no Delta table"):
        maintain(Tables(str(tmp_path / "none"), str(tmp_path / "neither")))
    write_deltalake(str(tmp_path / "foreign"), event_rows({"a": day_number(0)}))
    with pytest.raises(ArgumentError, match="no pipeline's table"):
        maintain(Tables(str(tmp_path / "foreign"), str(tmp_path / "neither")))
