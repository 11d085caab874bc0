from __future__ import annotations

import json
import tempfile
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.sample_table import SCHEMA, day, event_rows, letter_rows, write_rows
from trivium.delivery.errors import SchemaConflict, StorageError
from trivium.delivery.files import partitioned as partitioned_files
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage


def _writer(path: Path) -> PartitionedFiles:
    return PartitionedFiles(Storage(str(path)), SCHEMA, ["event_date"], "u", {"_runtime": "batch"})


@given(days=st.lists(st.lists(st.integers(0, 30), max_size=60), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_lands_in_the_file_of_its_day(tmp_path_factory, days: list[list[int]]):
    folder = tmp_path_factory.mktemp("t")
    writer, expected = _writer(folder), {}
    for batch, numbers in enumerate(days):
        rows = {f"{batch}-{index}": day(number) for index, number in enumerate(numbers)}
        writer.write(event_rows(rows))
        expected |= rows
    files = writer.close()
    found = {}
    for file in files:
        table = pq.read_table(folder / file.path, partitioning=None)
        assert table.num_rows == file.rows
        found |= dict.fromkeys(table["event_id"].to_pylist(), file.partition_values["event_date"])
    assert found == {row: when.isoformat() for row, when in expected.items()}


def _typed(types: list[str], number: int = 0) -> pa.Table:
    rows = event_rows({f"{number}-{index}": day(0) for index in range(len(types))})
    return rows.set_column(rows.column_names.index("_event_type"), "_event_type", pa.array(types, pa.string()))


def test_a_file_holds_one_type_where_it_is_told_to_and_many_types_cost_no_file_more(tmp_path: Path):
    types = [f"type{number}" for number in range(50)]
    writer = PartitionedFiles(
        Storage(str(tmp_path)), SCHEMA, ["event_date"], "u", {"_runtime": "batch"}, apart=("_event_type",)
    )
    for number in range(20):
        writer.write(_typed(types, number))
    files = writer.close()
    held = [pq.read_table(tmp_path / file.path, partitioning=None)["_event_type"].to_pylist() for file in files]
    assert sorted(held) == sorted([name] * 20 for name in types)
    assert {tuple(file.partition_values) for file in files} == {("event_date", "_runtime")}


@pytest.mark.parametrize("waiting", [1 << 26, 0], ids=["in memory", "spilled"])
def test_rows_of_a_file_that_mixes_types_are_sorted_by_type_and_stay_in_order_within(
    tmp_path: Path, monkeypatch, waiting: int
):
    monkeypatch.setattr(partitioned_files, "_WAITING_BYTES", waiting)
    writer = _writer(tmp_path)
    for number in range(3):
        writer.write(_typed(["b", "a", "c", "a"], number))
    (file,) = writer.close()
    rows = pq.read_table(tmp_path / file.path, partitioning=None)
    assert rows["_event_type"].to_pylist() == ["a"] * 6 + ["b"] * 3 + ["c"] * 3
    assert rows["event_id"].to_pylist()[:6] == ["0-1", "0-3", "1-1", "1-3", "2-1", "2-3"]


def test_open_files_are_bounded_and_nothing_is_lost(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(partitioned_files, "_OPEN_FILES", 2)
    monkeypatch.setattr(partitioned_files, "_WAITING_BYTES", 0)
    monkeypatch.setattr(partitioned_files, "_WORTH_A_ROW_GROUP", 0)
    writer = _writer(tmp_path)
    for number in [0, 1, 2, 3, 0, 1, 2, 3]:
        writer.write(event_rows({f"x{number}": day(number)}))
    files = writer.close()
    assert sum(file.rows for file in files) == 8
    assert len({file.path for file in files}) == len(files)


@pytest.mark.parametrize("worth", [0, 1 << 30], ids=["written at once", "spilled"])
def test_unsorted_rows_keep_their_order_and_lose_none_whether_spilled_or_not(tmp_path: Path, monkeypatch, worth: int):
    monkeypatch.setattr(partitioned_files, "_WAITING_BYTES", 20_000)
    monkeypatch.setattr(partitioned_files, "_WORTH_A_ROW_GROUP", worth)
    writer, days = _writer(tmp_path), 40
    for number in range(30):
        writer.write(event_rows({f"{number:02}-{index:02}": day(index) for index in range(days)}))
    files = writer.close()
    found: dict[str, list[str]] = {}
    for file in files:
        rows = pq.read_table(tmp_path / file.path, partitioning=None)["event_id"].to_pylist()
        found.setdefault(file.partition_values["event_date"], []).extend(rows)
    expected = {day(index).isoformat(): [f"{number:02}-{index:02}" for number in range(30)] for index in range(days)}
    assert found == expected


def test_unsorted_rows_make_no_more_files_than_sorted_ones_and_memory_is_bounded(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(partitioned_files, "_WAITING_BYTES", 100_000)
    writer, most = _writer(tmp_path), 0
    for number in range(60):
        writer.write(event_rows({f"{number}-{index}": day(index) for index in range(100)}))
        most = max(most, sum(part.waiting_bytes for part in writer._open.values()))  # noqa: SLF001
    files = writer.close()
    assert len(files) == 100
    assert {file.rows for file in files} == {60}
    assert most <= 100_000


def test_the_bytes_of_waiting_rows_are_bounded_and_not_only_their_count(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(partitioned_files, "_WAITING_BYTES", 2 << 20)
    writer, before, most = _writer(tmp_path), pa.total_allocated_bytes(), 0
    for table in range(24):
        writer.write(event_rows({f"{table}-{n}-{'x' * 200}": day(n * 7 % 100) for n in range(2_000)}))
        most = max(most, pa.total_allocated_bytes() - before)
    files = writer.close()
    assert {(file.partition_values["event_date"], file.rows) for file in files} == {
        (day(number).isoformat(), 480) for number in range(100)
    }
    assert len(files) == 100
    assert most < 6 << 20


def test_a_temporary_folder_that_refuses_is_an_error_with_advice_and_leaves_no_file(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(partitioned_files, "_WAITING_BYTES", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    writer = _writer(tmp_path / "table")
    with pytest.raises(StorageError, match=r"cannot write waiting rows .*TMPDIR.* nothing was committed"):
        writer.write(event_rows({"a": day(0), "b": day(1)}))
    writer.abandon()
    assert list(tmp_path.rglob("*.parquet")) == []


def test_no_folder_begins_with_an_underscore(tmp_path: Path):
    write_rows(str(tmp_path), event_rows({"a": day(0), "b": day(1)}))
    folders = [path.name for path in tmp_path.rglob("*") if path.is_dir()]
    assert sorted(folders) == ["event_date=2026-01-01", "event_date=2026-01-02"]
    assert all(path.name.startswith("batch-unit-1-") for path in tmp_path.rglob("*.parquet"))


def test_the_folder_s_column_is_not_in_the_file_and_text_columns_are_dictionaries(tmp_path: Path):
    (file,) = write_rows(str(tmp_path), event_rows({str(n): day(0) for n in range(1000)}))
    footer = pq.read_metadata(tmp_path / file.path)
    assert "event_date" not in footer.schema.to_arrow_schema().names
    columns = {footer.row_group(0).column(n).path_in_schema: footer.row_group(0).column(n) for n in range(13)}
    assert "RLE_DICTIONARY" in columns["_logic"].encodings
    assert columns["_logic"].compression == "ZSTD"
    assert columns["_logic"].total_compressed_size < 200


def test_a_manifest_is_json_and_carries_statistics(tmp_path: Path):
    (file,) = write_rows(str(tmp_path), event_rows({"a": day(0), "b": day(0)}, delay=7))
    assert msgspec.json.decode(msgspec.json.encode(file), type=DataFile) == file
    statistics = json.loads(file.statistics)
    assert statistics["numRecords"] == 2
    assert statistics["maxValues"]["event_time"] == "2026-01-01T12:00:00.000000Z"
    assert statistics["minValues"]["delay"] == 7
    assert statistics["nullCount"]["_enrichments"] == 2
    assert "_runtime" not in statistics["minValues"]
    assert "vector" not in statistics["nullCount"]


def test_abandon_removes_closed_and_open_files(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(partitioned_files, "_OPEN_FILES", 1)
    monkeypatch.setattr(partitioned_files, "_WAITING_BYTES", 0)
    monkeypatch.setattr(partitioned_files, "_WORTH_A_ROW_GROUP", 0)
    writer = _writer(tmp_path)
    writer.write(event_rows({"a": day(0), "b": day(1)}))
    writer.abandon()
    assert list(tmp_path.rglob("*.parquet")) == []


def test_dictionary_and_plain_text_may_follow_each_other(tmp_path: Path):
    writer, rows = _writer(tmp_path), event_rows({"a": day(0)})
    writer.write(rows)
    writer.write(rows.set_column(5, "_event_type", rows["_event_type"].dictionary_encode()))
    (file,) = writer.close()
    assert pq.read_table(tmp_path / file.path, partitioning=None)["_event_type"].to_pylist() == ["departure"] * 2


def test_missing_and_mistyped_columns_are_named(tmp_path: Path):
    rows = event_rows({"a": day(0)})
    with pytest.raises(SchemaConflict, match=r"missing.*_logic"):
        _writer(tmp_path).write(rows.drop_columns(["_logic"]))
    with pytest.raises(SchemaConflict, match="gate: expected no such column, got int64"):
        _writer(tmp_path).write(rows.append_column("gate", pa.array([1])))
    with pytest.raises(SchemaConflict, match="delay: expected int32, got int64"):
        _writer(tmp_path).write(rows.set_column(2, "delay", pa.array([1])))


def test_rows_without_a_source_day_go_to_the_null_partition(tmp_path: Path):
    from trivium.delivery.dead_letters.batch import reject_files  # noqa: PLC0415

    writer = reject_files(Storage(str(tmp_path)), "u")
    writer.write(letter_rows([None, "2026-01-01", None]))
    found = {file.partition_values["source_day"]: file.rows for file in writer.close()}
    assert found == {None: 2, "2026-01-01": 1}


def test_rows_are_split_by_every_partition_column(tmp_path: Path):
    writer = PartitionedFiles(Storage(str(tmp_path)), SCHEMA, ["event_date", "delay"], "u", {"_runtime": "batch"})
    rows = pa.concat_tables([event_rows({"a": day(1), "b": day(0)}, 1), event_rows({"c": day(1), "d": day(0)}, 2)])
    writer.write(pa.concat_tables([rows, rows]))
    found = {}
    for file in writer.close():
        values = (file.partition_values["event_date"], file.partition_values["delay"])
        found[values] = pq.read_table(tmp_path / file.path, partitioning=None)["event_id"].to_pylist()
    assert found == {
        ("2026-01-01", "1"): ["b", "b"],
        ("2026-01-01", "2"): ["d", "d"],
        ("2026-01-02", "1"): ["a", "a"],
        ("2026-01-02", "2"): ["c", "c"],
    }
