"""`trivium maintain` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.stream_table import StreamTables
from tests.support.terminal import Trivium


@pytest.fixture
def tables(tmp_path: Path) -> StreamTables:
    made = StreamTables(tmp_path)
    run = made.adopted()
    for number in range(3):
        run.run_epoch({"flights/0": (3 * number, "eer")})
    return made


def test_it_says_in_numbers_what_it_did(tables: StreamTables, trivium: Trivium) -> None:
    done = trivium("maintain", tables.uri)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == f"table       {tables.uri}"
    assert lines[1].startswith("before      3 files, ")
    assert lines[2].startswith("after       1 file, ")
    assert lines[3] == "compacted   3 files into 1"
    assert lines[4] == "log         0 removed, 0 copied into the ledger"
    assert lines[5] == "removed     0 data files, 0 leftovers, 0 B"
    assert lines[6] == f"checkpoint  version {tables.snapshot.version}"
    assert lines[7] == f"table       {tables.letters_uri}"
    assert len(tables.snapshot.active) == 1


def test_a_dry_run_does_nothing(tables: StreamTables, trivium: Trivium) -> None:
    version = tables.snapshot.version
    done = trivium("maintain", tables.uri, "--dry-run")
    assert done.stdout.startswith("a dry run: nothing was done; this would be\n")
    assert "compacted  3 files into 1" in done.stdout
    assert "checkpoint" not in done.stdout
    assert tables.snapshot.version == version


def test_as_json(tables: StreamTables, trivium: Trivium) -> None:
    done = trivium("maintain", tables.uri, "--format", "json")
    table, letters = json.loads(done.stdout)
    assert (table["table"], table["files_before"], table["files_after"]) == (tables.uri, 3, 1)
    assert table["compacted"]["rows"] == 6
    assert (letters["table"], letters["files_before"], letters["files_after"]) == (tables.letters_uri, 3, 3)


def test_what_cannot_be_maintained(tmp_path: Path, tables: StreamTables, trivium: Trivium) -> None:
    none = trivium("maintain", str(tmp_path / "none"))
    assert none.exit_code == 2
    assert "there is no Delta table" in none.stderr
    short = trivium("maintain", tables.uri, "--retention-hours", "3")
    assert short.exit_code == 2
    assert "3 is not in the range x>=24" in short.stderr
