from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.sample_table import PIPELINE, day, write_rows
from tests.support.stream_table import PARTITIONS, StreamTables, rows_at
from trivium.delivery.commit.stream import OffsetRange
from trivium.delivery.errors import Fenced, FileMismatch, PreconditionFailed
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage


@pytest.fixture
def tables(tmp_path: Path) -> StreamTables:
    return StreamTables(tmp_path)


def _disarm_while_waiting(tables: StreamTables, monkeypatch) -> None:
    """The fault is over once the committer waits before its next attempt."""
    real = tables.clock.sleep

    def sleep(seconds: float) -> None:
        monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
        real(seconds)

    tables.clock.sleep = sleep


def test_a_commit_adds_files_and_moves_positions_at_once(tables: StreamTables):
    run = tables.adopted()
    before = tables.snapshot.version
    landed = run.run_epoch({"flights/0": (0, "ed.e"), "flights/1": (0, "dd")})
    assert landed.version == tables.snapshot.version == before + 1
    assert tables.positions().next == {"flights/0": 4, "flights/1": 2}
    assert tables.rows() == {("flights/0", 0): 1, ("flights/0", 3): 1}
    run.run_epoch({"flights/0": (4, "e")})
    assert tables.positions().next == {"flights/0": 5, "flights/1": 2}


def test_an_epoch_without_rows_moves_positions_only(tables: StreamTables):
    run = tables.adopted()
    run.run_epoch({"flights/1": (0, "d..")})
    assert tables.positions().next == {"flights/0": 0, "flights/1": 3}
    assert not tables.snapshot.active


def test_ranges_and_balance_are_kept_with_the_commit(tables: StreamTables):
    tables.adopted().run_epoch({"flights/0": (0, "ed.e")})
    entry = tables.snapshot.table.history(1)[0]
    assert (entry["kind"], entry["runtime"], entry["generation"]) == ("epoch", "streaming", "1")
    assert json.loads(entry["ranges"])["flights/0"] == {
        "start": 0, "next": 4, "read": 3, "emitted": 2, "dropped": 1, "rejected": 0, "parked": 0, "newest_us": 0,
        "holes": 1,
    }  # fmt: skip
    assert json.loads(entry["balance"]) == {"departure": {"read": 3}}


@pytest.mark.parametrize("start", [0, 3, 5], ids=["behind", "going back", "ahead"])
def test_a_range_starts_where_the_position_is(tables: StreamTables, start: int):
    run = tables.adopted()
    run.run_epoch({"flights/0": (0, "eeee")})
    with pytest.raises(PreconditionFailed, match=f"position is 4, this epoch starts at {start}"):
        run.run_epoch({"flights/0": (start, "ee")})
    assert tables.positions().next["flights/0"] == 4
    assert sum(tables.rows().values()) == 4


def test_one_range_out_of_place_stops_the_whole_epoch(tables: StreamTables):
    run = tables.adopted()
    with pytest.raises(PreconditionFailed, match="flights/1: the table's position is 0"):
        run.run_epoch({"flights/0": (0, "ee"), "flights/1": (1, "e")})
    assert tables.positions().next == dict.fromkeys(PARTITIONS, 0)
    assert not tables.rows()


def test_a_partition_nobody_took_in_is_refused(tables: StreamTables):
    run = tables.adopted()
    with pytest.raises(PreconditionFailed, match="position is None"):
        run.run_epoch({"flights/2": (0, "e")})


@pytest.mark.parametrize(
    "broken",
    [
        OffsetRange(0, 2, read=2, emitted=1),
        OffsetRange(0, 2, read=1, emitted=1, dropped=1),
        OffsetRange(0, 1, read=2, emitted=2),
        OffsetRange(0, -1),
    ],
    ids=["one outcome missing", "one too many", "more inputs than offsets", "backwards"],
)
def test_a_range_without_balance_is_refused(tables: StreamTables, broken: OffsetRange):
    run = tables.adopted()
    proposal = replace(run.proposal({"flights/0": (0, "e")}), ranges={"flights/0": broken})
    with pytest.raises(PreconditionFailed, match="has no balance"):
        run.commit(proposal)
    assert not tables.rows()


def test_the_older_of_two_runs_commits_nothing_more(tables: StreamTables):
    older = tables.adopted()
    proposal = older.proposal({"flights/0": (0, "ee")})
    newer = tables.start()
    with pytest.raises(Fenced, match="generation 1, the table has generation 2"):
        older.commit(proposal)
    assert not tables.rows()
    newer.run_epoch({"flights/0": (0, "de")})
    assert tables.rows() == {("flights/0", 1): 1}


def test_the_older_run_is_stopped_although_its_ranges_would_fit(tables: StreamTables):
    older = tables.adopted()
    newer = tables.start()
    newer.run_epoch({"flights/0": (0, "ee")})
    with pytest.raises(Fenced):
        older.run_epoch({"flights/0": (2, "ee")})
    assert tables.positions().next["flights/0"] == 2


def test_a_file_that_went_is_named_and_no_position_moves(tables: StreamTables):
    run = tables.adopted()
    proposal = run.proposal({"flights/0": (0, "ee")})
    Path(tables.uri, proposal.files[0].path).unlink()
    with pytest.raises(FileMismatch, match="no longer on storage"):
        run.commit(proposal)
    assert tables.positions().next["flights/0"] == 0


def test_a_file_that_was_cut_off_is_refused(tables: StreamTables):
    run = tables.adopted()
    proposal = run.proposal({"flights/0": (0, "ee")})
    path = Path(tables.uri, proposal.files[0].path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FileMismatch, match="expected bytes"):
        run.commit(proposal)


def test_a_file_of_other_columns_is_refused(tables: StreamTables):
    run = tables.adopted()
    narrow = rows_at("flights/0", [0]).drop_columns(["_logic"])
    writer = PartitionedFiles(
        Storage(tables.uri), narrow.schema.append(pa.field("_runtime", pa.string())), ["event_date"], "narrow",
        {"_runtime": "streaming"},
    )  # fmt: skip
    writer.write(narrow)
    proposal = replace(run.proposal({"flights/0": (0, "e")}), files=tuple(writer.close()))
    with pytest.raises(FileMismatch, match="column _logic"):
        run.commit(proposal)
    assert tables.positions().next["flights/0"] == 0


@pytest.mark.parametrize("point", ["table.before_commit", "table.after_commit"])
def test_a_lost_response_lands_once(tables: StreamTables, monkeypatch, point: str):
    run = tables.adopted()
    before = tables.snapshot.version
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    _disarm_while_waiting(tables, monkeypatch)
    landed = run.run_epoch({"flights/0": (0, "ee")})
    assert (landed.attempts, landed.version) == (2, before + 1)
    assert tables.snapshot.version == before + 1
    assert tables.rows() == {("flights/0", 0): 1, ("flights/0", 1): 1}


def test_a_lost_response_under_another_writer_s_commit_is_found(tables: StreamTables, monkeypatch):
    run = tables.adopted()
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", "table.after_commit:raise")
    real = tables.clock.sleep

    def batch_commits(seconds: float) -> None:
        monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
        tables.clock.sleep = real
        tables.run({"x": day(3)})

    tables.clock.sleep = batch_commits
    landed = run.run_epoch({"flights/0": (0, "ee")})
    assert landed.attempts == 2
    assert sum(tables.rows().values()) == 2
    assert tables.positions().next["flights/0"] == 2


def test_a_lost_response_after_which_a_newer_run_came_is_no_landing_of_the_older(tables: StreamTables, monkeypatch):
    """What landed stays, once; the older run stops, since it cannot be sure of anything after it."""
    run = tables.adopted()
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", "table.after_commit:raise")
    taken = []

    def newer_run_starts(seconds: float) -> None:
        monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
        tables.clock.sleep = lambda seconds: None
        taken.append(tables.start())

    tables.clock.sleep = newer_run_starts
    with pytest.raises(Fenced):
        run.run_epoch({"flights/0": (0, "ee")})
    assert tables.positions().next["flights/0"] == 2
    taken[0].run_epoch({"flights/0": (2, "e")})
    assert tables.rows() == {("flights/0", offset): 1 for offset in range(3)}


def test_batch_and_streaming_leave_each_other_s_files_alone(tables: StreamTables):
    run = tables.adopted()
    run.run_epoch({"flights/0": (0, "ee")})
    tables.run({"a": day(0)}, delay=1)
    run.run_epoch({"flights/0": (2, "e")})
    tables.run({"b": day(0)}, delay=2)
    assert tables.rows() == {("flights/0", offset): 1 for offset in range(3)}
    assert {name: delay for name, delay in tables.content().items() if delay} == {"b": 2}
    assert tables.positions().next["flights/0"] == 3


def test_a_batch_run_s_generation_does_not_fence_a_stream(tables: StreamTables):
    run = tables.adopted()
    tables.begin()
    tables.begin()
    run.run_epoch({"flights/0": (0, "e")})
    assert tables.snapshot.transaction(f"{PIPELINE}/streaming/generation") == 1


def test_ranges_that_follow_one_another_add_up():
    both = OffsetRange(3, 5, 2, 1, 1, 0, 70).followed_by(OffsetRange(5, 9, 3, 1, 1, 1, 60))
    assert both == OffsetRange(3, 9, 5, 2, 2, 1, 70)
    assert both.holes == 1
    with pytest.raises(PreconditionFailed, match="start at 5, got 6"):
        OffsetRange(3, 5).followed_by(OffsetRange(6, 7))


def test_the_same_files_are_not_committed_twice(tables: StreamTables):
    run = tables.adopted()
    files = write_rows(tables.uri, rows_at("flights/0", [0]), "streaming")
    first = replace(run.proposal({"flights/0": (0, "e")}), files=files)
    run.commit(first)
    with pytest.raises(PreconditionFailed, match="second time"):
        run.commit(replace(run.proposal({"flights/0": (1, "e")}), files=files))
