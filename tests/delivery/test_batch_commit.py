from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from tests.delivery.sample_table import Tables, day, event_rows, write_rows
from tests.delivery.test_committer import Append
from trivium.delivery import committer
from trivium.delivery.batch_commit import BatchCommit, Window
from trivium.delivery.errors import Fenced, PreconditionFailed
from trivium.delivery.snapshot import Snapshot


def test_a_run_replaces_all_of_batch_and_nothing_of_streaming(tables: Tables):
    files = write_rows(tables.uri, event_rows({"live": day(0)}, delay=9), "streaming")
    committer.commit(tables.uri, Append(files), tables.clock)
    tables.run({"a": day(0), "b": day(1)})
    tables.run({"a": day(0)}, delay=2)
    assert tables.content() == {"live": 9, "a": 2}


def test_a_window_replaces_its_days_only(tables: Tables):
    tables.run({"a": day(0), "b": day(1), "c": day(2)})
    tables.run({"b2": day(1)}, Window(day(1), day(2)), delay=1)
    assert tables.content() == {"a": 0, "b2": 1, "c": 0}


def test_readers_see_the_old_rows_until_the_commit(tables: Tables):
    tables.run({"a": day(0)})
    generation = tables.begin()
    proposal = tables.proposal(generation, write_rows(tables.uri, event_rows({"b": day(0)})))
    assert tables.content() == {"a": 0}
    tables.commit(proposal)
    assert tables.content() == {"b": 0}


def test_transactions_and_metadata_of_the_commit(tables: Tables):
    generation = tables.begin()
    files = write_rows(tables.uri, event_rows({"a": day(0)}))
    window = Window(day(0), day(2))
    tables.commit(tables.proposal(generation, files, window, ("2026-01-01", "2026-01-02")))
    snapshot = tables.snapshot
    assert snapshot.transaction("flights/batch/committed") == generation
    assert snapshot.transaction("flights/batch/source_day/2026-01-02") == generation
    assert snapshot.transaction("flights/batch/source_day/all") is None
    assert snapshot.transaction("flights/batch/complete_as_of/2026-01-01") == 5
    facts = snapshot.table.history(1)[0]
    assert (facts["runtime"], facts["logic"], facts["plan"]) == ("batch", "l1", "p1")
    assert facts["window"] == "[2026-01-01, 2026-01-03)"
    assert json.loads(facts["balance"]) == {"departure": {"read": 1}}


def test_a_run_that_no_longer_covers_a_day_takes_the_cover_back(tables: Tables):
    files = write_rows(tables.uri, event_rows({"live": day(0)}), "streaming")
    committer.commit(tables.uri, Append(files), tables.clock)
    tables.commit(tables.proposal(tables.begin(), (), None, ("2026-01-01",)))
    assert tables.snapshot.transaction("flights/batch/complete_as_of/2026-01-01") == 5
    tables.commit(tables.proposal(tables.begin(), (), Window(day(1), day(2)), ("2026-01-02",)))
    assert tables.snapshot.transaction("flights/batch/complete_as_of/2026-01-01") == 5
    tables.commit(tables.proposal(tables.begin(), (), None, ("2026-01-02",)))
    assert tables.snapshot.transaction("flights/batch/complete_as_of/2026-01-01") == 0


def test_a_file_outside_the_window_is_refused(tables: Tables):
    files = write_rows(tables.uri, event_rows({"a": day(5)}))
    with pytest.raises(PreconditionFailed, match="outside the window"):
        tables.commit(tables.proposal(tables.begin(), files, Window(day(0), day(1))))


def test_a_generation_commits_once(tables: Tables):
    generation = tables.begin()
    tables.commit(tables.proposal(generation, write_rows(tables.uri, event_rows({"a": day(0)}))))
    with pytest.raises(PreconditionFailed, match="comes too late"):
        tables.commit(tables.proposal(generation, write_rows(tables.uri, event_rows({"b": day(0)}))))
    assert tables.content() == {"a": 0}


def test_of_two_runs_the_older_is_fenced(tables: Tables):
    older, newer = tables.begin(), tables.begin()
    old_files = write_rows(tables.uri, event_rows({"old": day(0)}))
    new_files = write_rows(tables.uri, event_rows({"new": day(0)}))
    with pytest.raises(Fenced, match=f"generation {older}, the table has generation {newer}"):
        tables.commit(tables.proposal(older, old_files))
    tables.commit(tables.proposal(newer, new_files))
    with pytest.raises(Fenced, match="a newer run of this pipeline took over"):
        tables.commit(tables.proposal(older, old_files))
    assert tables.content() == {"new": 0}


class CompactedMeanwhile(BatchCommit):
    """A batch commit under which the table is compacted between its first snapshot and its commit."""

    def change(self, snapshot: Snapshot) -> committer.Change:
        change = super().change(snapshot)
        if len(DeltaTable(self.uri).file_uris()) > 1:
            DeltaTable(self.uri).optimize.compact()
        return change

    uri = ""


def test_removals_are_recomputed_after_a_lost_race(tables: Tables, monkeypatch):
    monkeypatch.setattr(CompactedMeanwhile, "uri", tables.uri)
    generation = tables.begin()
    files = [write_rows(tables.uri, event_rows({name: day(0)}))[0] for name in "abc"]
    tables.commit(tables.proposal(generation, tuple(files)))
    plain = tables.proposal(tables.begin(), write_rows(tables.uri, event_rows({"new": day(0)})))
    values = {name: getattr(plain, name) for name in plain.__dataclass_fields__ if name != "fault_point"}
    landed = tables.commit(CompactedMeanwhile(**values))
    assert landed.attempts == 2
    assert tables.content() == {"new": 0}


def test_compaction_keeps_the_content_for_every_reader(tables: Tables):
    generation = tables.begin()
    files = [write_rows(tables.uri, event_rows({name: day(0)}))[0] for name in "abc"]
    tables.commit(tables.proposal(generation, (*files, *write_rows(tables.uri, event_rows({"d": day(1)})))))
    DeltaTable(tables.uri).optimize.compact()
    assert tables.content() == dict.fromkeys("abcd", 0)
    frame = pl.scan_delta(tables.uri, use_pyarrow=True).select("event_id", "event_date", "_runtime")
    assert frame.sort("event_id").collect().rows() == [
        *((name, date(2026, 1, 1), "batch") for name in "abc"),
        ("d", date(2026, 1, 2), "batch"),
    ]


def test_polars_own_scan_finds_the_partition_values(tables: Tables):
    tables.run({"a": day(0), "b": day(1)})
    rows = pl.scan_delta(tables.uri).select("event_id", "event_date", "_runtime").sort("event_id").collect().rows()
    assert rows == [("a", date(2026, 1, 1), "batch"), ("b", date(2026, 1, 2), "batch")]


def test_vacuum_keeps_active_files_and_our_folder_and_takes_orphans(tables: Tables):
    tables.run({"a": day(0)})
    tables.run({"b": day(0)})
    write_rows(tables.uri, event_rows({"orphan": day(0)}))
    marker = Path(tables.uri, "_trivium", "runs", "l1", "u.json")
    marker.parent.mkdir(parents=True)
    marker.write_text("{}")
    DeltaTable(tables.uri).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    assert marker.exists()
    assert len(list(Path(tables.uri).rglob("event_date=*/*.parquet"))) == 1
    assert tables.content() == {"b": 0}
