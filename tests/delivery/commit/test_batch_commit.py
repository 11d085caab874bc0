from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from tests.support.proposals import Append
from tests.support.sample_table import TYPES, Tables, day, event_rows, write_rows
from trivium.delivery.commit import committer
from trivium.delivery.commit.batch import BatchCommit
from trivium.delivery.coverage.documents import Reading
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import Fenced, PreconditionFailed


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
    assert snapshot.transaction("flights/batch/coverage/2026-01-02") == generation
    assert snapshot.transaction("flights/batch/coverage/all") is None
    facts = snapshot.table.history(1)[0]
    assert (facts["runtime"], facts["logic"], facts["plan"]) == ("batch", "l1", "p1")
    assert facts["window"] == "[2026-01-01, 2026-01-03)"
    assert json.loads(facts["event_types"]) == ["departure"]
    assert json.loads(facts["balance"]) == {"departure": {"read": 1}}


def test_a_file_outside_the_window_is_refused(tables: Tables):
    files = write_rows(tables.uri, event_rows({"a": day(5)}))
    with pytest.raises(PreconditionFailed, match="outside the window"):
        tables.commit(tables.proposal(tables.begin(), files, Window(day(0), day(1))))


def test_a_file_of_a_type_that_the_run_does_not_replace_is_refused(tables: Tables):
    generation = tables.begin()
    proposal = tables.proposed(generation, _typed(tables, {"gate": "g"}), Scope(None, TYPES), Reading({}, {}))
    with pytest.raises(PreconditionFailed, match="holds gate, which this run does not replace"):
        tables.commit(proposal)


def _typed(tables: Tables, ids: dict[str, str], delay: int = 0, apart: tuple[str, ...] = ("_event_type",)):
    """Files of the first day with one row of each event type, by its identity."""
    rows = event_rows(dict.fromkeys(ids.values(), day(0)), delay)
    types = pa.array(list(ids), pa.string())
    return write_rows(
        tables.uri, rows.set_column(rows.column_names.index("_event_type"), "_event_type", types), "batch", apart=apart
    )


def _run_types(tables: Tables, ids: dict[str, str], types: set[str], delay: int, **how: tuple[str, ...]):
    scope = Scope(None, frozenset(types))
    return tables.commit(tables.proposed(tables.begin(), _typed(tables, ids, delay, **how), scope, Reading({}, {})))


EVERY = {"departure", "gate", "weather"}
LONG = "t" * 40


@pytest.mark.parametrize("apart", [("_event_type",), ()], ids=["one type a file", "older files that mix types"])
@pytest.mark.parametrize("other", ["gate", LONG, "é" * 33])
def test_rows_of_types_that_a_run_does_not_list_stay(tables: Tables, apart: tuple[str, ...], other: str):
    ids = {"departure": "d", other: "g", "weather": "w"}
    _run_types(tables, ids, {*ids}, 1, apart=apart)
    rows = tables.snapshot.table.to_pyarrow_table().sort_by("event_id")
    _run_types(tables, {"departure": "d2"}, {"departure"}, 2)
    assert tables.content() == {"d2": 2, "g": 1, "w": 1}
    kept = tables.snapshot.table.to_pyarrow_table().filter(pc.field("event_id").isin(["g", "w"])).sort_by("event_id")
    assert kept == rows.filter(pc.field("event_id").isin(["g", "w"]))
    _run_types(tables, {"departure": "d3"}, {"departure", other}, 3)
    assert tables.content() == {"d3": 3, "w": 1}


def test_files_that_another_engine_put_together_are_taken_apart(tables: Tables):
    _run_types(tables, {"departure": "d", "gate": "g", "weather": "w"}, EVERY, 1)
    DeltaTable(tables.uri).optimize.compact()
    _run_types(tables, {"gate": "g2"}, {"gate"}, 2)
    assert tables.content() == {"d": 1, "g2": 2, "w": 1}
    _run_types(tables, {}, {"departure"}, 3)
    assert tables.content() == {"g2": 2, "w": 1}


def test_a_run_without_mixed_files_writes_nothing_beside_its_own(tables: Tables):
    _run_types(tables, {"departure": "d", "gate": "g"}, EVERY, 1)
    _run_types(tables, {"departure": "d2"}, {"departure"}, 2)
    assert list(Path(tables.uri).rglob("*carried*")) == []


def test_days_that_are_left_out_stay_as_they_are(tables: Tables):
    tables.run({"a": day(0), "b": day(1)})
    left = frozenset({day(0).isoformat()})
    files = write_rows(tables.uri, event_rows({"b2": day(1)}, 1))
    tables.commit(tables.proposed(tables.begin(), files, Scope(None, TYPES, left), Reading({}, {})))
    assert tables.content() == {"a": 0, "b2": 1}
    outside = write_rows(tables.uri, event_rows({"a2": day(0)}, 1))
    with pytest.raises(PreconditionFailed, match="lies outside what the run replaces"):
        tables.commit(tables.proposed(tables.begin(), outside, Scope(None, TYPES, left), Reading({}, {})))


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
    values = {name: getattr(plain, name) for name, each in plain.__dataclass_fields__.items() if each.init}
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
