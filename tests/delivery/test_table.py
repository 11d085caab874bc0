from __future__ import annotations

import json
import logging
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema
from msgspec.structs import replace

from tests.support.sample_table import AUTHOR, PIPELINE, InstantClock, Tables, day, event_rows, write_rows
from tests.support.table_readers import READERS, Predicate
from tests.support.upkeep import append_files
from trivium.delivery.errors import SchemaConflict, WrongPipeline
from trivium.delivery.files.lineage import LINEAGE
from trivium.delivery.table import checkpoint_if_due, events_table, open_table


def _open(tables: Tables, author: pa.Schema = AUTHOR, partition_by: tuple[str, ...] = ("event_date",)):
    return open_table(events_table(tables.uri, PIPELINE, author, partition_by))


def test_version_0_has_lineage_owner_and_partitions(tables: Tables):
    table = DeltaTable(tables.uri, version=0)
    names = [field.name for field in table.schema().fields]
    assert names == [*AUTHOR.names, "event_date", *(field.name for field in LINEAGE)]
    assert table.metadata().partition_columns == ["event_date", "_runtime"]
    assert table.metadata().name == PIPELINE
    assert "trivium.pipeline" in table.metadata().configuration


def test_opening_again_commits_nothing(tables: Tables):
    assert _open(tables).version == 0


def test_another_pipeline_is_refused_by_name(tables: Tables):
    with pytest.raises(WrongPipeline, match="belongs to pipeline 'flights', not to 'orders'"):
        open_table(events_table(tables.uri, "orders", AUTHOR, ["event_date"]))


def test_a_table_that_is_not_ours_is_refused(tmp_path: Path):
    DeltaTable.create(str(tmp_path), schema=AUTHOR)
    with pytest.raises(WrongPipeline, match="no Trivium pipeline"):
        open_table(events_table(str(tmp_path), PIPELINE, AUTHOR, ["event_date"]))


def test_a_new_nullable_column_is_a_commit_of_its_own_and_old_rows_stay(tables: Tables):
    before = tables.run({"a": day(0)}).version
    snapshot = _open(tables, AUTHOR.append(pa.field("gate", pa.string())))
    assert snapshot.version == before + 1
    assert snapshot.table.history(1)[0]["operation"] == "ADD COLUMN"
    assert snapshot.table.to_pyarrow_table()["gate"].to_pylist() == [None]


@pytest.mark.parametrize("reader", READERS)
def test_rows_older_than_a_column_are_found_where_it_is_null(tables: Tables, reader: str):
    tables.run({"a": day(0), "b": day(1)})
    _open(tables, AUTHOR.append(pa.field("gate", pa.string())))
    found = READERS[reader](tables.uri, Predicate(("gate",), "is null"))
    assert found is None or sorted(found) == ["a", "b"]


def _created_before_the_property(uri: str, author: pa.Schema) -> None:
    spec = events_table(uri, PIPELINE, author, ["event_date"])
    DeltaTable.create(
        uri,
        Schema.from_arrow(spec.schema),
        partition_by=["event_date", "_runtime"],
        configuration={"trivium.pipeline": PIPELINE},
        raise_if_key_not_exists=False,
    )


def _described_columns(uri: str) -> list[str]:
    return DeltaTable(uri).metadata().configuration["delta.dataSkippingStatsColumns"].split(",")


def test_a_table_that_does_not_name_its_described_columns_is_told_to(tables: Tables, tmp_path: Path):
    uri = str(tmp_path / "old")
    _created_before_the_property(uri, AUTHOR)
    gate = AUTHOR.append(pa.field("gate", pa.string()))
    assert open_table(events_table(uri, PIPELINE, gate, ["event_date"])).version == 2
    assert _described_columns(uri) == _described_columns(tables.uri)
    lineage = [field.name for field in LINEAGE if field.name != "_runtime"]
    assert _described_columns(uri) == ["event_id", "event_time", "delay", *lineage]


def test_a_start_says_that_files_of_an_earlier_release_mislead(tmp_path: Path, caplog):
    _created_before_the_property(str(tmp_path), AUTHOR)
    (file,) = write_rows(str(tmp_path), event_rows({"a": day(0)}))
    unbounded = json.dumps({"numRecords": 1, "nullCount": {"event_id": 0}})
    append_files(str(tmp_path), (replace(file, statistics=unbounded),), InstantClock())
    for expected in (1, 0):
        with caplog.at_level(logging.WARNING):
            open_table(events_table(str(tmp_path), PIPELINE, AUTHOR, ["event_date"]))
        assert len(caplog.messages) == expected
        caplog.clear()


def test_of_an_old_wide_table_no_more_columns_are_described_than_were(tmp_path: Path):
    wide = pa.schema([*AUTHOR, *(pa.field(f"column_{number}", pa.int64()) for number in range(40))])
    _created_before_the_property(str(tmp_path), wide)
    open_table(events_table(str(tmp_path), PIPELINE, wide, ["event_date"]))
    assert _described_columns(str(tmp_path))[-1] == "column_27"


def test_columns_behind_the_first_thirty_two_are_described(tmp_path: Path):
    wide = pa.schema([*AUTHOR, *(pa.field(f"column_{number}", pa.int64()) for number in range(40))])
    spec = events_table(str(tmp_path), PIPELINE, wide, ["event_date"])
    open_table(spec)
    rows = event_rows({"a": day(0)})
    for field in list(wide)[len(AUTHOR) :]:
        rows = rows.append_column(field, pa.array([7], pa.int64()))
    append_files(spec.uri, write_rows(spec.uri, rows, schema=spec.schema), InstantClock())
    actions = pa.table(DeltaTable(spec.uri).get_add_actions(flatten=True))
    assert actions["min._event_type"].to_pylist() == actions["max._event_type"].to_pylist() == ["departure"]
    assert actions["max.column_39"].to_pylist() == [7]


@pytest.mark.parametrize(
    ("author", "says"),
    [
        (AUTHOR.set(2, pa.field("delay", pa.string())), "column delay has another type"),
        (AUTHOR.set(2, pa.field("delay", pa.float64())), "column delay has another type"),
        (AUTHOR.set(2, pa.field("delay", pa.timestamp("us", "UTC"))), "column delay has another type"),
        (AUTHOR.set(3, pa.field("vector", pa.list_(pa.float64()))), "column vector has another type"),
        (AUTHOR.remove(0), "column event_id is required in the table"),
        (AUTHOR.append(pa.field("gate", pa.string(), nullable=False)), "column gate is new and required"),
    ],
)
def test_a_change_of_meaning_stops_with_both_schemas(tables: Tables, author: pa.Schema, says: str):
    with pytest.raises(SchemaConflict, match=says) as caught:
        _open(tables, author)
    text = str(caught.value)
    assert "_event_type: string" in text
    assert text.count("\n* ") == 1
    assert tables.snapshot.version == 0


def test_other_partition_columns_stop(tables: Tables):
    with pytest.raises(SchemaConflict, match="partition columns"):
        _open(tables, partition_by=("event_date", "delay"))


@pytest.mark.parametrize("partition_by", [(), ("delay",), ("event_date", "nowhere")])
def test_partitions_start_with_the_day_and_name_columns(tables: Tables, partition_by: tuple[str, ...]):
    with pytest.raises(SchemaConflict, match="event_date"):
        _open(tables, partition_by=partition_by)


def test_a_checkpoint_comes_every_so_many_versions(tables: Tables):
    log = Path(tables.uri, "_delta_log")
    for number in range(3):
        tables.run({f"a{number}": day(number)})
    checkpoint_if_due(tables.uri, every=50)
    assert not list(log.glob("*.checkpoint*"))
    checkpoint_if_due(tables.uri, every=5)
    checkpoint_if_due(tables.uri, every=5)
    assert len(list(log.glob("*.checkpoint*"))) == 1
    assert len(tables.content()) == 1
    assert tables.snapshot.transaction("flights/batch/committed") == 3


def test_a_failing_checkpoint_is_a_warning(tables: Tables, caplog):
    Path(tables.uri, "_delta_log", f"{0:020}.checkpoint.parquet").mkdir()
    with caplog.at_level(logging.WARNING):
        checkpoint_if_due(tables.uri, every=1)
    assert "no checkpoint was written" in caplog.text


def test_a_hint_that_says_nothing_does_not_put_checkpoints_off(tables: Tables):
    hint = Path(tables.uri, "_delta_log", "_last_checkpoint")
    hint.write_text("{")
    checkpoint_if_due(tables.uri, every=1)
    assert json.loads(hint.read_text())["version"] == 0
