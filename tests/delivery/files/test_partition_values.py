"""Partition values: what is accepted comes back equal through every reader, what would not is refused."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.sample_table import AUTHOR, PIPELINE, InstantClock, day, event_rows
from tests.support.upkeep import append_files
from trivium.delivery.errors import SchemaConflict
from trivium.delivery.files.partition_values import NULL_FOLDER, folder_name, partition_text
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import TableSpec, events_table, open_table
from trivium.operations.maintain import maintain
from trivium.operations.tables import Tables

_AWKWARD = [
    "50%",
    "%20",
    "a/b",
    "a=b",
    "..",
    " ",
    "\x00",
    "\x7f",
    "\n",
    "'\"\\",
    "null",
    NULL_FOLDER,
    "\u2028",
    "x" * 999,
]
_KINDS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "text": (pa.string(), st.one_of(st.sampled_from(_AWKWARD), st.text(min_size=1, max_size=20))),
    "number": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "flag": (pa.bool_(), st.booleans()),
    "day": (pa.date32(), st.dates()),
}


def _written(uri: str, kind: pa.DataType, values: list[Any]) -> TableSpec:
    spec = _table(uri, kind)
    open_table(spec)
    rows = event_rows({str(number): day(0) for number in range(len(values))})
    writer = PartitionedFiles(Storage(uri), spec.schema, ["event_date", "part"], "u", {"_runtime": "batch"})
    writer.write(rows.append_column(pa.field("part", kind), pa.array(values, kind)))
    append_files(uri, tuple(writer.close()), InstantClock())
    return spec


def _table(uri: str, kind: pa.DataType) -> TableSpec:
    return events_table(uri, PIPELINE, AUTHOR.append(pa.field("part", kind)), ["event_date", "part"])


def _read(uri: str) -> dict[str, list[Any]]:
    table = DeltaTable(uri)
    dataset = table.to_pyarrow_dataset()
    with duckdb.connect() as connection:
        connection.register("events", dataset)
        duck = connection.sql("SELECT part FROM events").to_arrow_table()
    datafusion = QueryBuilder().register("events", table).execute("SELECT part FROM events").read_all()
    found = {
        "pyarrow": dataset.to_table(columns=["part"]),
        "deltalake": table.to_pyarrow_table(columns=["part"]),
        "duckdb": duck,
        "polars": pl.scan_delta(table).select("part").collect().to_arrow(),
        "datafusion": pa.table(datafusion),
    }
    return {reader: rows["part"].to_pylist() for reader, rows in found.items()}


@pytest.mark.parametrize("name", _KINDS)
def test_accepted_values_come_back_equal(tmp_path_factory: pytest.TempPathFactory, name: str):
    kind, values = _KINDS[name]

    @given(st.lists(st.none() | values, min_size=1, max_size=12))
    @settings(max_examples=10, deadline=None, derandomize=True)
    def check(chosen: list[Any]) -> None:
        uri = str(tmp_path_factory.mktemp(name) / "t")
        _written(uri, kind, chosen)
        for reader, found in _read(uri).items():
            assert Counter(found) == Counter(chosen), reader

    check()


@pytest.mark.parametrize("name", _KINDS)
def test_compaction_keeps_the_values(tmp_path: Path, name: str):
    kind, _ = _KINDS[name]
    chosen = [None, *{"text": _AWKWARD, "number": [-(2**63), 7], "flag": [True, False], "day": [date(1, 1, 1)]}[name]]
    uri = str(tmp_path)
    _written(uri, kind, chosen)
    _written(uri, kind, chosen)
    (done,) = maintain(Tables(uri, f"{uri}_dead_letters"))
    assert (done.files_before, done.files_after) == (2 * len(chosen), len(chosen))
    assert all(Counter(found) == Counter(chosen * 2) for found in _read(uri).values())


@pytest.mark.parametrize(
    "kind",
    [
        pa.binary(),
        pa.float64(),
        pa.decimal128(10, 2),
        pa.timestamp("us", "UTC"),
        pa.list_(pa.string()),
        pa.struct([("a", pa.string())]),
        pa.dictionary(pa.int32(), pa.binary()),
    ],
)
def test_other_types_are_refused_before_anything_is_written(tmp_path: Path, kind: pa.DataType):
    with pytest.raises(SchemaConflict, match=r"partition column part: expected text.*Try: another column"):
        _table(str(tmp_path), kind)
    with pytest.raises(SchemaConflict, match="partition column part"):
        PartitionedFiles(Storage(str(tmp_path)), pa.schema([("part", kind)]), ["part"], "u", {})


def test_empty_text_is_refused_and_no_file_is_left(tmp_path: Path):
    with pytest.raises(SchemaConflict, match="column part: expected text or null, got empty text"):
        _written(str(tmp_path), pa.string(), ["a", ""])


@pytest.mark.parametrize(
    "value", ["", "a/b", "..", "a b", "50%", "a=b", "\n", "é", NULL_FOLDER, "x" * 300, "-x", ".x", "_x"]
)
def test_the_first_column_s_values_name_folders_or_are_refused(value: str):
    with pytest.raises(SchemaConflict, match="name for a folder") as caught:
        folder_name("shop", value)
    assert len(str(caught.value)) < 300


def test_folders_of_values_and_of_null():
    assert folder_name("event_date", "2026-01-01") == "event_date=2026-01-01"
    assert folder_name("source_day", None) == f"source_day={NULL_FOLDER}"
    with pytest.raises(SchemaConflict, match="name for a folder"):
        folder_name("_runtime", "batch")


def test_values_as_the_log_holds_them():
    given_values = [True, 7, "x", date(1, 1, 1), None]
    assert [partition_text("c", pa.scalar(value)) for value in given_values] == ["true", "7", "x", "0001-01-01", None]
