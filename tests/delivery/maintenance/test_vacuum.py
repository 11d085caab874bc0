"""Vacuum: nothing goes that a version, a resumed run or a run under way may need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sample_table import day, event_rows, write_rows
from tests.support.stream_table import StreamTables
from tests.support.upkeep import age, age_log, compact_events, hours_ago, stream
from trivium.core.errors import DeliveryError
from trivium.delivery.commit.claims import FOLDER
from trivium.delivery.delta import transactions
from trivium.delivery.files.unit_markers import RunStore, UnitMarker
from trivium.delivery.maintenance.log import checkpoint, expired_log
from trivium.delivery.maintenance.vacuum import leftovers, orphans, read_markers
from trivium.delivery.storage.storage import Storage


@pytest.fixture
def tables(tmp_path: Path) -> StreamTables:
    return StreamTables(tmp_path)


def test_vacuum_takes_old_orphans_only(tables: StreamTables):
    stream(tables)
    (old, young, marked) = (write_rows(tables.uri, event_rows({name: day(3)}))[0] for name in "abc")
    for path in (old.path, marked.path, *tables.snapshot.active):
        age(Path(tables.uri, path), 100)
    compacted = set(tables.snapshot.active)
    compact_events(tables)
    stranger = Path(tables.uri, "README.md")
    stranger.write_text("ours")
    age(stranger, 100)
    inner = Path(tables.uri, "inner", "_delta_log")
    inner.mkdir(parents=True)
    (inner / f"{0:020}.json").write_text("{}")
    (inner.parent / "x.parquet").write_text("theirs")
    age(inner.parent / "x.parquet", 100)
    cutoff = hours_ago(48)
    assert [file.path for file in orphans(tables.uri, cutoff, {marked.path})] == [old.path]
    assert [file.path for file in orphans(tables.uri, cutoff, ())] == sorted([old.path, marked.path])
    age_log(tables.uri, tables.snapshot.version, 100)
    wanted = {old.path, marked.path} | compacted
    assert {file.path for file in orphans(tables.uri, cutoff, ())} == wanted
    assert young.path not in wanted


def test_vacuum_refuses_a_log_with_a_gap(tables: StreamTables):
    stream(tables)
    age(Path(tables.uri, write_rows(tables.uri, event_rows({"a": day(3)}))[0].path), 100)
    checkpoint(tables.uri)
    Path(tables.uri, f"_delta_log/{3:020}.json").unlink()
    with pytest.raises(DeliveryError, match="1 are missing"):
        orphans(tables.uri, hours_ago(48), ())


def test_what_a_killed_batch_run_finished_stays_for_its_resumption(tables: StreamTables):
    generation = tables.begin()
    files = write_rows(tables.uri, event_rows({"a": day(0)}))
    store = RunStore(Storage(tables.uri), Storage(tables.letters_uri), "logic")
    store.publish(UnitMarker("unit", generation, files, files))
    markers = read_markers(tables.uri)
    assert (markers.files, markers.rejects, markers.spent) == ({files[0].path}, {files[0].path}, ())
    tables.commit(tables.proposal(tables.begin(), files))
    spent = read_markers(tables.uri)
    assert (spent.files, [file.path for file in spent.spent]) == (set(), ["_trivium/runs/logic/unit.json"])


def test_leftovers_are_old_or_of_older_runs(tables: StreamTables):
    storage = Storage(tables.uri)
    first, second = tables.begin(), tables.begin()
    in_log = ("_delta_log/torn-12.00000000000000000009", "_delta_log/00000000000000000009.checkpoint.parquet#1")
    paths = [f"_trivium/started/{first}/u", f"_trivium/started/{second}/u", "_trivium/runs/l/u.json.12ab.tmp"]
    for path in (*paths, "_trivium/tokens/abc", *in_log):
        storage.create(path, b"")
    cutoff = hours_ago(48)
    assert [file.path for file in leftovers(tables.uri, cutoff)] == [paths[0]]
    for path in (*paths, "_trivium/tokens/abc", *in_log):
        age(Path(tables.uri, path), 100)
    found = {file.path for file in leftovers(tables.uri, cutoff)}
    assert found == {paths[0], paths[2], *in_log}


def test_a_table_that_is_no_table_is_refused(tmp_path: Path):
    with pytest.raises(DeliveryError, match="expected log entries"):
        expired_log(Storage(str(tmp_path)), 0)


def test_claims_that_no_number_names_go(tables: StreamTables, monkeypatch):
    monkeypatch.setattr(transactions, "REMEMBERED_RUNS", 2)
    storage, numbers = Storage(tables.uri), []
    for _ in range(3):
        before = {file.path for file in storage.list(FOLDER)}
        tables.begin()
        numbers += [file.path for file in storage.list(FOLDER) if file.path not in before]
    assert leftovers(tables.uri, hours_ago(48)) == []
    for path in numbers:
        age(Path(tables.uri, path), 100)
    assert [file.path for file in leftovers(tables.uri, hours_ago(48))] == [numbers[0]]
