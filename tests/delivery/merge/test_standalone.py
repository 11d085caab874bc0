"""The text of `trivium read --sql duckdb`: it runs with DuckDB alone, and gives the rows that `read` gives."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tests.support.odd_tables import BEYOND_DELTALAKE, COLUMNS, OURS, pipeline_table
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.merge import query as merge
from trivium.delivery.merge.query import merge_inputs
from trivium.delivery.merge.standalone import standalone_sql
from trivium.types.plain import plain_rows

LATER = datetime(2026, 1, 2, tzinfo=UTC)


def printed(table: Path, version: int | None = None) -> str:
    return standalone_sql(merge_inputs(str(table), version), Snapshot.at(str(table), version))


def rows(**columns: Any) -> pa.Table:
    return pa.Table.from_pylist([{**OURS, **columns}])


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in BEYOND_DELTALAKE])
def test_every_value_comes_back_as_read_gives_it(name: str, tmp_path: Path) -> None:
    table = tmp_path / "shop"
    pipeline_table(table, COLUMNS[name], name)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.sql(printed(table)).to_arrow_table()
    wanted = merge.read(str(table))
    assert repr(plain_rows(found.cast(wanted.schema))) == repr(plain_rows(wanted))


@pytest.mark.parametrize("folder", ["plain", "with space", "glob*?", "quo'te", "50% off", "ö"])
def test_it_runs_wherever_the_table_is(folder: str, tmp_path: Path) -> None:
    pipeline_table(tmp_path / folder)
    assert len(duckdb.connect().sql(printed(tmp_path / folder)).fetchall()) == 1


def test_files_of_several_days_runtimes_and_columns_are_one_relation(tmp_path: Path) -> None:
    table = tmp_path / "shop"
    pipeline_table(table)
    days = rows(event_id="2", event_date=date(2026, 1, 2), event_time=LATER)
    added = rows(event_id="3", event_date=None, _runtime="streaming").append_column("more", pa.array([[1]]))
    hidden = rows(event_id="1", _runtime="streaming", _position=7)
    for each in (days, hidden):
        write_deltalake(str(table), each, mode="append")
    write_deltalake(str(table), added, mode="append", schema_mode="merge")
    text = printed(table)
    columns = duckdb.connect().sql(text).columns
    assert columns == [field.name for field in Snapshot.latest(str(table)).schema.fields]
    query = f"SELECT event_id, event_date::TEXT, _runtime, more FROM ({text}) ORDER BY event_id"
    assert duckdb.connect().sql(query).fetchall() == [
        ("1", "2026-01-01", "batch", None),
        ("2", "2026-01-02", "batch", None),
        ("3", None, "streaming", [1]),
    ]
    assert len(duckdb.connect().sql(printed(table, 1)).fetchall()) == 1


def test_a_table_elsewhere_is_to_be_registered(tmp_path: Path) -> None:
    pipeline_table(tmp_path / "shop")
    snapshot = Snapshot.latest(str(tmp_path / "shop"))
    inputs = merge_inputs(str(tmp_path / "shop"))
    there = merge.MergeInputs(**{**vars(inputs), "uri": "s3://bucket/shop"})
    assert standalone_sql(there, snapshot) == merge.merge_sql(there, "duckdb")
