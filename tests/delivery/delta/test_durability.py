"""The syncs of commits and checkpoints, recorded: what a commit builds on is durable before it, and nothing beyond."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.support.power_cut_story import forget
from tests.support.sample_table import AUTHOR, PIPELINE, InstantClock, S3Tables, Tables, day
from tests.support.stream_table import StreamTables
from trivium.delivery.commit.committer import Landed
from trivium.delivery.commit.generation import take_generation
from trivium.delivery.delta.durability import make_durable, make_own_durable
from trivium.delivery.delta.entry import DURABLE_UP_TO, entry_path, read_entry
from trivium.delivery.delta.log_check import check_log
from trivium.delivery.errors import CommitRaceLost
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import checkpoint_if_due, events_table, open_table
from trivium.runtimes.streaming.epochs import land


@dataclass
class Syncs:
    """Every `os.fsync`, in order, as paths below a folder."""

    below: Path
    paths: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        """The synced files' and folders' paths, since the last time."""
        found, self.paths = self.paths, []
        return [os.path.relpath(path, self.below) for path in found]


@pytest.fixture
def syncs(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Syncs:
    recorded, real = Syncs(Path(tables.uri)), os.fsync

    def fsync(descriptor: int) -> None:
        recorded.paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return recorded


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    forget()
    yield
    forget()


def _by_another_engine(tables: Tables) -> str:
    """An entry nobody synced; returns its path."""
    DeltaTable(tables.uri).alter.set_table_properties({"delta.logRetentionDuration": "interval 60 days"})
    return entry_path(DeltaTable(tables.uri).version())


def test_another_engine_s_entries_are_synced_before_ours(tables: Tables, syncs: Syncs):
    tables.begin()
    first, second = _by_another_engine(tables), _by_another_engine(tables)
    syncs.names()
    tables.begin()
    names = syncs.names()
    own = names.index(entry_path(tables.snapshot.version))
    assert max(names.index(first), names.index(second)) < own
    assert "_delta_log" in names[names.index(first) : own]
    assert "_delta_log" in names[own:]


def test_so_are_the_files_that_it_adds(tables: Tables, syncs: Syncs):
    tables.run({"a": day(0)})
    tables.run({"b": day(1)}, window=None)
    DeltaTable(tables.uri).optimize.z_order(["event_id"])
    (path,) = tables.snapshot.active
    syncs.names()
    tables.begin()
    names = syncs.names()
    assert names.index(path) < names.index(entry_path(tables.snapshot.version))
    assert os.path.dirname(path) in names


def test_an_entry_whose_writer_died_is_synced_by_the_next_process(tables: Tables, syncs: Syncs):
    tables.run({"a": day(0)})
    dead = entry_path(tables.snapshot.version)
    forget()
    syncs.names()
    tables.begin()
    names = syncs.names()
    assert names.index(dead) < names.index(entry_path(tables.snapshot.version))
    assert entry_path(0) not in names, "what is older than the newest mark was durable"


def test_each_of_our_entries_says_what_it_was_built_on(tables: Tables):
    tables.run({"a": day(0)})
    storage = Storage(tables.uri)
    for version in range(1, tables.snapshot.version + 1):
        entry = read_entry(storage, version)
        assert entry is not None
        assert entry.durable_up_to == version - 1
    assert DURABLE_UP_TO in tables.snapshot.table.history(1)[0]


def test_a_process_syncs_and_reads_only_what_it_adds(tables: Tables, syncs: Syncs, monkeypatch: pytest.MonkeyPatch):
    for number in range(5):
        tables.run({f"a{number}": day(number)})
    take_generation(tables.uri, tables.letters_uri, PIPELINE, "streaming", tables.clock)
    read: list[Path] = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (read.append(path), real(path))[1])
    syncs.names()
    take_generation(tables.uri, tables.letters_uri, PIPELINE, "streaming", tables.clock)
    names = syncs.names()
    entries = [name for name in names if name.endswith(".json")]
    assert len(entries) == 2, "one of each table"
    assert len(names) <= 2 * 4
    assert {path.name for path in read} <= {"_last_checkpoint"}


def test_a_new_column_is_built_on_durable_entries_too(tables: Tables, syncs: Syncs):
    tables.begin()
    foreign = _by_another_engine(tables)
    forget()
    syncs.names()
    wider = AUTHOR.append(AUTHOR.field("delay").with_name("gate"))
    open_table(events_table(tables.uri, PIPELINE, wider, ["event_date"]))
    names = syncs.names()
    assert names.index(foreign) < names.index(entry_path(tables.snapshot.version))


def test_a_table_made_anew_is_not_taken_for_the_old_one(tables: Tables, syncs: Syncs):
    for _ in range(3):
        tables.begin()
    shutil.rmtree(tables.uri)
    again = Tables(tables.folder)
    foreign = [_by_another_engine(again) for _ in range(5)]
    syncs.names()
    again.begin()
    assert set(foreign) <= set(syncs.names())


def test_a_checkpoint_s_entries_come_before_it_and_its_hint_after(tables: Tables, syncs: Syncs):
    tables.begin()
    foreign = _by_another_engine(tables)
    syncs.names()
    checkpoint_if_due(tables.uri, every=1)
    names = syncs.names()
    written = f"_delta_log/{tables.snapshot.version:020}.checkpoint.parquet"
    (hint,) = [name for name in names if "_last_checkpoint" in name]
    assert names.index(foreign) < names.index(written) < names.index(hint)
    assert names[-1] != hint, "its folder is synced after it"


def test_a_new_process_syncs_the_checkpoint_that_readers_begin_at(tables: Tables, syncs: Syncs):
    tables.run({"a": day(0)})
    DeltaTable(tables.uri).create_checkpoint()
    version = tables.snapshot.version
    forget()
    syncs.names()
    make_durable(tables.uri, version)
    names = syncs.names()
    assert f"_delta_log/{version:020}.checkpoint.parquet" in names
    assert "_delta_log/_last_checkpoint" in names


def test_a_commit_found_landed_is_synced_before_the_next_one_counts_on_it(tmp_path: Path, syncs: Syncs):
    """Its process had given it up: letters that a cut can take must not be passed by the table's position."""
    tables = StreamTables(tmp_path)
    run = tables.adopted()
    proposal = run.proposal({"flights/0": (0, "e")})

    def attempt() -> Landed:
        run.commit(proposal)
        forget()  # as if another process had committed it
        syncs.names()
        message = "no answer"
        raise CommitRaceLost(message)

    landed = land(tables.uri, proposal, attempt, InstantClock())
    assert entry_path(landed.version) in syncs.names()


def test_folders_above_a_new_table_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: (synced.append(os.readlink(f"/proc/self/fd/{descriptor}")), real(descriptor))
    )
    Tables(tmp_path / "new" / "deep")
    assert {str(tmp_path), str(tmp_path / "new"), str(tmp_path / "new" / "deep")} <= set(synced)


def test_a_bucket_needs_no_sync_and_no_look(s3_tables: S3Tables, monkeypatch: pytest.MonkeyPatch):
    s3_tables.begin()
    version = s3_tables.snapshot.version
    monkeypatch.setattr(Storage, "stat", lambda *_: pytest.fail("looked at S3"))
    monkeypatch.setattr(Storage, "read", lambda *_: pytest.fail("read from S3"))
    make_durable(s3_tables.uri, version)
    make_own_durable(s3_tables.uri, version)


def test_a_start_on_a_bucket_decodes_no_checkpoint(s3_tables: S3Tables, monkeypatch: pytest.MonkeyPatch):
    s3_tables.begin()
    checkpoint_if_due(s3_tables.uri, every=1)
    monkeypatch.setattr(Storage, "open", lambda *_: pytest.fail("opened on S3"))
    assert check_log(s3_tables.uri) == []
