"""The state of a table that a process keeps: what others do to the log in between, and what a look at it costs."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.support import foreign_writer
from tests.support.power_cut_story import forget
from tests.support.proposals import Append
from tests.support.sample_table import AUTHOR, PIPELINE, Tables, day, event_rows, write_rows
from trivium.delivery.commit.committer import commit
from trivium.delivery.delta import handle
from trivium.delivery.delta.entry import entry_path
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.delta.state import active_files
from trivium.delivery.errors import PreconditionFailed, UnsupportedFeature
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import checkpoint_if_due, events_table, open_table

ODD = "event_date=2026-01-01/a%20b é+(1).parquet"


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    forget()
    yield
    forget()


def _file(tables: Tables, name: str) -> tuple[DataFile, ...]:
    return write_rows(tables.uri, event_rows({name: day(0)}), "streaming")


def _add(tables: Tables, name: str) -> DataFile:
    files = _file(tables, name)
    commit(tables.uri, Append(files), tables.clock)
    return files[0]


def _as_deltalake_sees_it(uri: str) -> tuple[int, dict[str, Any], int | None]:
    table = DeltaTable(uri)
    files = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    days = {unquote(file["path"]): str(file["partition.event_date"]) for file in files}
    return table.version(), days, table.transaction_version("other")


def _as_kept(uri: str) -> tuple[int, dict[str, Any], int | None]:
    snapshot = Snapshot.latest(uri)
    days = {path: file.partition_values["event_date"] for path, file in snapshot.active.items()}
    assert len(snapshot.active) == len(days)
    assert all(path in snapshot.active and snapshot.active[path].path == path for path in days)
    return snapshot.version, days, snapshot.transaction("other")


def test_a_foreign_commit_between_ours_is_taken_in(tables: Tables):
    own = _add(tables, "a")
    version = foreign_writer.write(tables.uri, [ODD], transactions={"other": 7})
    assert _as_kept(tables.uri) == (version, {own.path: "2026-01-01", ODD: "2026-01-01"}, 7)
    landed = commit(tables.uri, Append(_file(tables, "b")), tables.clock)
    assert (landed.version, landed.attempts) == (version + 1, 1)


def test_a_path_that_a_foreign_commit_added_is_not_added_again(tables: Tables):
    files = _file(tables, "a")
    commit(tables.uri, Append(), tables.clock)
    foreign_writer.write(tables.uri, [files[0].path])
    with pytest.raises(PreconditionFailed, match="second time"):
        commit(tables.uri, Append(files), tables.clock)


def test_a_file_that_a_foreign_commit_removed_is_not_removed_again(tables: Tables):
    own = _add(tables, "a")
    active = tables.snapshot.active[own.path]
    foreign_writer.write(tables.uri, remove=[own.path])
    assert own.path not in tables.snapshot.active
    with pytest.raises(PreconditionFailed, match="expected every file to remove to be active"):
        commit(tables.uri, Append(remove=(active,)), tables.clock)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_file_is_removed_under_the_name_that_its_engine_gave_it(tables: Tables, checkpoint: bool):
    """Readers that compare names as they are written would go on seeing it."""
    add = {"path": "x%2By.parquet", "partitionValues": foreign_writer.VALUES, "size": 10, "modificationTime": 1}
    version = foreign_writer.append_entry(tables.uri, {"add": add | {"dataChange": True, "stats": None}})
    if checkpoint:
        DeltaTable(tables.uri).create_checkpoint()
    commit(tables.uri, Append(remove=(tables.snapshot.active["x+y.parquet"],)), tables.clock)
    assert '"path":"x%2By.parquet"' in Path(tables.uri, entry_path(version + 1)).read_text()
    assert DeltaTable(tables.uri).file_uris() == []


def test_an_odd_path_is_written_as_deltalake_writes_it(tables: Tables):
    foreign_writer.write(tables.uri, [ODD])
    commit(tables.uri, Append(remove=(tables.snapshot.active[ODD],)), tables.clock)
    assert DeltaTable(tables.uri).file_uris() == []


def test_a_torn_entry_after_the_one_that_is_known_is_moved_aside(tables: Tables):
    own = _add(tables, "a")
    torn = Path(tables.uri, entry_path(tables.snapshot.version + 1))
    torn.write_bytes(b'{"add":{"pa')
    landed = commit(tables.uri, Append(_file(tables, "b")), tables.clock)
    assert landed.version == int(torn.stem)
    assert own.path in tables.snapshot.active
    assert [path.name for path in torn.parent.glob("torn-*")] != []


def test_an_entry_that_is_known_and_is_replaced_is_not_counted_on(tables: Tables):
    """A power cut took it, another process moved it aside and committed something else in its place."""
    lost = _add(tables, "a")
    Path(tables.uri, entry_path(tables.snapshot.version)).unlink()
    version = foreign_writer.write(tables.uri, [ODD])
    assert _as_kept(tables.uri) == (version, {ODD: "2026-01-01"}, None)
    assert lost.path not in tables.snapshot.active


def test_entries_that_a_clean_up_erased_are_not_written_again(tables: Tables):
    own, known = _add(tables, "a"), tables.snapshot.version
    names = [f"event_date=2026-01-01/{number}.parquet" for number in range(5)]
    for name in names:
        foreign_writer.write(tables.uri, [name])
    newest = foreign_writer.clean_up(tables.uri)
    landed = commit(tables.uri, Append(_file(tables, "b")), tables.clock)
    assert landed.version == newest + 1
    assert not Path(tables.uri, entry_path(known + 1)).exists()
    assert {own.path, *names} < set(tables.snapshot.active)


def test_a_clean_up_that_left_the_known_entry_alone_is_noticed(tables: Tables):
    _add(tables, "a")
    known = Path(tables.uri, entry_path(tables.snapshot.version))
    kept = known.with_suffix(".kept")
    known.rename(kept)
    shutil.copy2(kept, known)
    kept.rename(known)
    for number in range(3):
        foreign_writer.write(tables.uri, [f"{number}.parquet"])
    DeltaTable(tables.uri).create_checkpoint()
    for gone in range(int(known.stem) + 1, DeltaTable(tables.uri).version() + 1):
        Path(tables.uri, entry_path(gone)).unlink()
    assert _as_kept(tables.uri) == _as_deltalake_sees_it(tables.uri)


def test_a_checkpoint_by_another_writer_changes_nothing(tables: Tables):
    own = _add(tables, "a")
    DeltaTable(tables.uri).create_checkpoint()
    assert set(tables.snapshot.active) == {own.path}
    forget()
    assert set(tables.snapshot.active) == {own.path}


def test_a_table_made_anew_is_read_anew(tables: Tables):
    _add(tables, "a")
    shutil.rmtree(tables.uri)
    again = Tables(tables.folder)
    assert (again.snapshot.version, dict(again.snapshot.active)) == (0, {})


def test_a_new_column_is_seen(tables: Tables):
    _add(tables, "a")
    wider = AUTHOR.append(AUTHOR.field("delay").with_name("gate"))
    open_table(events_table(tables.uri, PIPELINE, wider, ["event_date"]))
    assert "gate" in [field.name for field in tables.snapshot.schema.fields]


def test_a_feature_that_is_switched_on_beside_us_stops_the_next_commit(tables: Tables):
    _add(tables, "a")
    DeltaTable(tables.uri).alter.add_constraint({"early": "delay < 10"})
    with pytest.raises(UnsupportedFeature, match="CHECK constraints"):
        commit(tables.uri, Append(), tables.clock)


def test_a_snapshot_stays_what_it_was(tables: Tables):
    own = _add(tables, "a")
    before = tables.snapshot
    _add(tables, "b")
    assert set(before.active) == {own.path}
    assert set(before.table.to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist()) == {"a"}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_to_the_log_the_state_is_deltalake_s(
    tables: Tables, seed: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(active_files, "_FRESH", 3)
    chance = random.Random(seed)
    for number in range(40):
        active = sorted(tables.snapshot.active)
        gone = chance.sample(active, min(len(active), chance.randrange(3)))
        match chance.randrange(7):
            case 0 | 1:
                removed = tuple(tables.snapshot.active[path] for path in gone)
                commit(tables.uri, Append(_file(tables, f"{number}"), removed), tables.clock)
            case 2 | 3:
                foreign_writer.write(tables.uri, [f"p é%{number}.parquet"], gone, {"other": number})
            case 4:
                DeltaTable(tables.uri).create_checkpoint()
            case 5:
                foreign_writer.clean_up(tables.uri)
            case _:
                forget()
        assert _as_kept(tables.uri) == _as_deltalake_sees_it(tables.uri)


def test_a_commit_opens_no_table_and_reads_no_entry_again(tables: Tables, monkeypatch: pytest.MonkeyPatch):
    for number in range(5):
        _add(tables, f"before {number}")
    monkeypatch.setattr(handle, "DeltaTable", lambda *_, **__: pytest.fail("opened the table"))
    read: list[str] = []
    real = Storage.read
    monkeypatch.setattr(Storage, "read", lambda storage, path: (read.append(path), real(storage, path))[1])
    monkeypatch.setattr(Storage, "names", lambda *_: pytest.fail("listed the log"))
    for number in range(3):
        _add(tables, f"after {number}")
    assert set(read) <= {"_delta_log/_last_checkpoint"}


def test_a_large_checkpoint_is_written_less_often(tables: Tables):
    names = [f"event_date=2026-01-01/{number}.parquet" for number in range(15_000)]
    foreign_writer.write(tables.uri, names)
    checkpoint_if_due(tables.uri, every=1)
    first = tables.snapshot.version
    for _ in range(31):
        commit(tables.uri, Append(), tables.clock)
        checkpoint_if_due(tables.uri)
    written = sorted(int(path.name[:20]) for path in Path(tables.uri, "_delta_log").glob("*.checkpoint.parquet"))
    assert written == [first, first + 30]
