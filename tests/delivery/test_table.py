from __future__ import annotations

import logging
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.delivery.sample_table import AUTHOR, PIPELINE, Tables, day
from trivium.delivery.errors import SchemaConflict, WrongPipeline
from trivium.delivery.lineage import LINEAGE
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


@pytest.mark.parametrize(
    ("author", "says"),
    [
        (AUTHOR.set(2, pa.field("delay", pa.int64())), "column delay changed"),
        (AUTHOR.set(2, pa.field("delay", pa.int16())), "column delay changed"),
        (AUTHOR.set(2, pa.field("delay", pa.int32(), nullable=False)), "column delay changed"),
        (AUTHOR.set(3, pa.field("vector", pa.list_(pa.float64()))), "column vector changed"),
        (AUTHOR.remove(2), "column delay is gone"),
        (AUTHOR.append(pa.field("gate", pa.string(), nullable=False)), "new column gate is not nullable"),
    ],
)
def test_any_other_change_of_columns_stops_with_both_schemas(tables: Tables, author: pa.Schema, says: str):
    with pytest.raises(SchemaConflict, match=says) as caught:
        _open(tables, author)
    text = str(caught.value)
    assert "event_time: timestamp" in text
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
    Path(tables.uri, "_delta_log", "_last_checkpoint").write_text("{")
    with caplog.at_level(logging.WARNING):
        checkpoint_if_due(tables.uri, every=1)
    assert "no checkpoint was written" in caplog.text
