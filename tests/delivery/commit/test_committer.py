from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.proposals import Append
from tests.support.sample_table import Tables, day, event_rows, write_rows
from trivium.delivery.commit.committer import commit
from trivium.delivery.delta.snapshot import ActiveFile
from trivium.delivery.errors import CommitRaceLost, FileMismatch, PreconditionFailed


def test_a_lost_race_is_tried_again_on_a_fresh_snapshot(tables: Tables):
    others = [lambda: tables.run({"other": day(1)}), lambda: tables.run({"other": day(1)})]
    proposal = Append(write_rows(tables.uri, event_rows({"a": day(0)}), "streaming"), interferences=others)
    landed = commit(tables.uri, proposal, tables.clock)
    assert landed.attempts == 3
    assert proposal.seen == sorted(set(proposal.seen))
    assert landed.version == tables.snapshot.version
    assert tables.content() == {"a": 0, "other": 0}
    assert len(tables.clock.slept) == 2


@pytest.mark.parametrize("point", ["table.before_commit", "table.after_commit"])
def test_an_unknown_outcome_lands_once(tables: Tables, monkeypatch, point: str):
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    real_sleep = tables.clock.sleep

    def sleep_and_disarm(seconds: float) -> None:
        monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
        real_sleep(seconds)

    tables.clock.sleep = sleep_and_disarm
    before = tables.snapshot.version
    landed = commit(tables.uri, Append(write_rows(tables.uri, event_rows({"a": day(0)}))), tables.clock)
    assert landed.attempts == 2
    assert landed.version == tables.snapshot.version == before + 1
    assert tables.content() == {"a": 0}


def test_attempts_are_bounded_and_nothing_is_deleted(tables: Tables, monkeypatch):
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", "table.before_commit:raise")
    (file,) = write_rows(tables.uri, event_rows({"a": day(0)}))
    with pytest.raises(CommitRaceLost, match="nothing was committed"):
        commit(tables.uri, Append((file,)), tables.clock)
    assert Path(tables.uri, file.path).exists()
    assert tables.snapshot.version == 0


def test_removing_what_is_not_active_is_refused(tables: Tables):
    gone = ActiveFile("event_date=2026-01-01/gone.parquet", 1, {"event_date": "2026-01-01", "_runtime": "batch"})
    with pytest.raises(PreconditionFailed, match=r"gone\.parquet is not"):
        commit(tables.uri, Append(remove=(gone,)), tables.clock)


def test_adding_a_path_twice_is_refused(tables: Tables):
    files = write_rows(tables.uri, event_rows({"a": day(0)}))
    with pytest.raises(PreconditionFailed, match="second time"):
        commit(tables.uri, Append(files * 2), tables.clock)
    commit(tables.uri, Append(files), tables.clock)
    with pytest.raises(PreconditionFailed, match="second time"):
        commit(tables.uri, Append(files), tables.clock)
    assert tables.content() == {"a": 0}


def test_a_file_that_vanishes_between_attempts_is_named(tables: Tables):
    (file,) = write_rows(tables.uri, event_rows({"a": day(0)}))

    def lose_race_and_file() -> None:
        tables.run({"other": day(1)})

    proposal = Append((file,), interferences=[lose_race_and_file, Path(tables.uri, file.path).unlink])
    with pytest.raises(FileMismatch, match="no longer on storage"):
        commit(tables.uri, proposal, tables.clock)
    assert tables.content() == {"other": 0}


def test_the_commit_s_facts_are_in_the_history(tables: Tables):
    commit(tables.uri, Append(), tables.clock)
    entry = tables.snapshot.table.history(1)[0]
    assert entry["kind"] == "test"
    assert json.loads(entry["trivium_actions"]) == {"add": 0, "remove": 0, "txn": 1}
