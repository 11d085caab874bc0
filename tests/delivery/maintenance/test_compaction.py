"""Compaction: what readers, streams and batch runs notice of it: nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from msgspec.structs import replace

from tests.support.sample_table import AUTHOR, PIPELINE, SCHEMA, InstantClock, day, event_rows, write_rows
from tests.support.stream_table import StreamTables
from tests.support.upkeep import (
    all_rows,
    any_file,
    append_files,
    compact_events,
    compact_letters,
    files_open_and_count,
    stream,
)
from trivium.delivery.coverage.scope import Window
from trivium.delivery.delta.misleading_files import misleading_files
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.files.rewrite import EVENTS
from trivium.delivery.maintenance import ledger
from trivium.delivery.maintenance.compaction import (
    TARGET_BYTES,
    Compacted,
    Compaction,
    Superseded,
    compact,
    small_file_groups,
)
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import events_table, open_table


@pytest.fixture
def tables(tmp_path: Path) -> StreamTables:
    return StreamTables(tmp_path)


def test_small_files_of_a_partition_become_one_with_the_same_rows(tables: StreamTables):
    stream(tables)
    tables.run({"b1": day(0), "b2": day(1)})
    tables.run({"b3": day(2)}, Window(day(2), day(3)))
    before, rows, version = tables.snapshot.active, all_rows(tables.uri), tables.snapshot.version
    done = compact_events(tables)
    after = tables.snapshot
    assert (done.files_before, done.files_after, done.rows) == (4, 1, 12)
    assert (len(before), len(after.active)) == (7, 4)
    assert after.version == version + 1
    assert all_rows(tables.uri) == rows
    assert files_open_and_count(tables.uri) == 15
    (made,) = set(after.active) - set(before)
    assert made.startswith("event_date=2026-01-01/streaming-compacted-")
    assert after.active[made].partition_values == {"event_date": "2026-01-01", "_runtime": "streaming"}
    assert len(Snapshot.at(tables.uri, version).table.to_pyarrow_table()) == 15
    assert compact_events(tables) == Compacted()


def test_the_log_says_that_no_row_changed(tables: StreamTables):
    stream(tables)
    positions = tables.positions()
    compact_events(tables)
    entry = ledger.read_actions(Storage(tables.uri), [tables.snapshot.version], "add")
    removed = ledger.read_actions(Storage(tables.uri), [tables.snapshot.version], "remove")
    for _, actions in (*entry, *removed):
        assert actions
        assert {action["dataChange"] for action in actions} == {False}
    assert tables.positions() == positions
    assert ledger.commits(tables.uri)[-1].metadata["kind"] == "compaction"


def test_rows_lie_in_the_order_of_their_positions(tables: StreamTables):
    run = tables.adopted()
    for start in range(0, 40, 4):
        run.run_epoch({"flights/0": (start, "eeee")})
    compact_events(tables)
    (path,) = tables.snapshot.active
    positions = tables.snapshot.rows_of([path], SCHEMA)["_position"].to_pylist()
    assert positions == list(range(40))


def test_files_older_than_a_column_get_nulls(tables: StreamTables):
    stream(tables, 2)
    wider = pa.schema([*AUTHOR, pa.field("gate", pa.string())])
    open_table(events_table(tables.uri, PIPELINE, wider, ["event_date"]))
    compact_events(tables)
    assert len(tables.snapshot.active) == 1
    assert "gate" in tables.snapshot.schema.to_arrow().names
    found = tables.snapshot.table.to_pyarrow_table(columns=["gate", "delay"])
    assert found["gate"].null_count == found.num_rows == 6


def test_further_partition_columns_and_nulls_in_them(tmp_path: Path):
    uri, clock = str(tmp_path / "wide"), InstantClock()
    open_table(events_table(uri, PIPELINE, AUTHOR, ["event_date", "delay"]))
    for number in range(2):
        rows = event_rows({f"a{number}": day(0), f"b{number}": day(0)})
        rows = rows.set_column(2, rows.schema.field("delay"), pa.array([None, 7], pa.int32()))
        writer = PartitionedFiles(Storage(uri), SCHEMA, ["event_date", "delay"], "unit", {"_runtime": "batch"})
        writer.write(rows)
        append_files(uri, tuple(writer.close()), clock)
    before = all_rows(uri)
    done = compact(uri, EVENTS, small_file_groups(Snapshot.latest(uri), EVENTS, any_file), clock)
    assert (done.files_before, done.files_after) == (4, 2)
    assert all_rows(uri) == before


def test_a_group_is_bounded_and_big_files_are_left_alone(tables: StreamTables):
    stream(tables, 3)
    snapshot = Snapshot(DeltaTable(tables.uri))
    size = 25 << 20
    snapshot.__dict__["active"] = {
        path: ActiveFile(path, size, file.partition_values) for path, file in snapshot.active.items()
    }
    big = {f"event_date=2026-01-01/x{i}": ActiveFile(f"event_date=2026-01-01/x{i}", 32 << 20, {}) for i in range(3)}
    snapshot.active.update(big)
    (group,) = small_file_groups(snapshot, EVENTS, any_file)
    assert len(group.files) == 3
    assert sum(file.size for file in group.files) <= TARGET_BYTES
    assert not {file.path for file in group.files} & set(big)


def test_a_batch_run_that_replaced_the_files_wins(tables: StreamTables):
    for number in range(3):
        append_files(tables.uri, write_rows(tables.uri, event_rows({f"a{number}": day(0)})), tables.clock)
        append_files(tables.uri, write_rows(tables.uri, event_rows({f"b{number}": day(1)})), tables.clock)
    groups = small_file_groups(tables.snapshot, EVENTS, any_file)
    assert len(groups) == 2
    tables.run({"new": day(0)}, Window(day(0), day(1)))
    done = compact(tables.uri, EVENTS, groups, tables.clock)
    assert (done.files_before, done.files_after, done.superseded) == (3, 1, 3)
    assert set(tables.content()) == {"new", "b0", "b1", "b2"}
    tables.run({"new": day(0)}, Window(day(0), day(2)))
    version = tables.snapshot.version
    assert compact(tables.uri, EVENTS, groups, tables.clock) == Compacted(superseded=6)
    assert tables.snapshot.version == version
    with pytest.raises(Superseded, match="replaced meanwhile"):
        Compaction(()).change(tables.snapshot)


@pytest.mark.parametrize("point", ["compaction.before_commit", "compaction.after_commit"])
def test_a_compaction_without_an_answer_lands_once(tables: StreamTables, monkeypatch, point: str):
    stream(tables)
    rows, version = all_rows(tables.uri), tables.snapshot.version
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    sleep = tables.clock.sleep

    def disarm(seconds: float) -> None:
        monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
        sleep(seconds)

    tables.clock.sleep = disarm
    assert compact_events(tables).files_after == 1
    assert tables.snapshot.version == version + 1
    assert all_rows(tables.uri) == rows


def test_letters_of_older_generations_are_compacted_and_still_taken_back(tables: StreamTables):
    first = tables.adopted()
    first.run_epoch({"flights/0": (0, "re")})
    first.run_epoch({"flights/0": (2, "rr")})
    first.letters({"flights/0": (4, "rr")})  # never committed in the table
    before = tables.all_letters()
    assert sum(before.values()) == 5
    assert compact_letters(tables).files_before == 3
    assert tables.all_letters() == before
    assert sorted(tables.counted_letters()) == [("flights/0", 0), ("flights/0", 2), ("flights/0", 3)]
    assert tables.start().removed == 2
    assert sorted(tables.all_letters()) == [("flights/0", 0), ("flights/0", 2), ("flights/0", 3)]


def test_batch_letters_are_compacted_per_source_day_and_run(tables: StreamTables):
    generation = tables.begin()
    tables.append_letters(generation, ["2026-01-01", "2026-01-02", None])
    tables.commit(tables.proposal(generation, (), days=("2026-01-01", "2026-01-02", "all")))
    later = tables.begin()
    tables.append_letters(later, ["2026-01-01"])
    assert compact_letters(tables) == Compacted()
    snapshot = Snapshot.latest(tables.letters_uri)
    assert {file.partition_values["generation"] for file in snapshot.active.values()} == {"1", "2"}


def _with_statistics(file: DataFile, **changes: dict[str, object]) -> DataFile:
    return replace(file, statistics=json.dumps(json.loads(file.statistics) | changes))


def test_files_whose_statistics_mislead_are_rewritten_even_alone(tables: StreamTables):
    (first,), (second,), (third,) = (
        write_rows(tables.uri, event_rows({name: day(number)}, delay=7)) for number, name in enumerate("abc")
    )
    unbounded = _with_statistics(first, minValues={"event_id": "a"}, maxValues={"event_id": "a"})
    silent = replace(second, statistics='{"numRecords":1}')
    tables.commit(tables.proposal(tables.begin(), (unbounded, silent, third)))
    delayed = pc.field("delay") == 7
    assert tables.snapshot.table.to_pyarrow_dataset().to_table(filter=delayed).num_rows == 2
    assert misleading_files(tables.snapshot) == {first.path}
    done = compact_events(tables)
    assert (done.files_before, done.files_after, done.rows) == (1, 1, 1)
    assert tables.snapshot.table.to_pyarrow_dataset().to_table(filter=delayed).num_rows == 3
    assert misleading_files(tables.snapshot) == set()
    assert {second.path, third.path} < set(tables.snapshot.active)
