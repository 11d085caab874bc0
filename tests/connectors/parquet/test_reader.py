"""Events of a unit: right rows at right places, declared columns only, and every way a file may be wrong."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.kafka_batches import columns, ids, places, reader, records, write
from trivium.connectors.archive import reader as reader_module
from trivium.connectors.archive.reader import SourceReader
from trivium.connectors.archive.slices import Slice
from trivium.connectors.archive.units import Unit
from trivium.core.errors import SourceError
from trivium.engine.batch import RawBatch, TypedBatch


def read(source: SourceReader, unit_rows: int = 1_000_000) -> list[Slice]:
    return [part for unit in source.plan().units(unit_rows, None) for part in source.batches(unit)]


def one_unit(source: SourceReader) -> Unit:
    (unit,) = source.plan().units(1_000_000, None)
    return unit


@pytest.mark.parametrize("unit_rows", [1, 20, 1000])
def test_positions_are_rows_of_the_file_across_row_groups(tmp_path: Path, unit_rows: int) -> None:
    write(tmp_path / "a.parquet", columns(53), rows_per_group=10)
    parts = read(reader(tmp_path), unit_rows)
    assert [name for part in parts for name in ids(part)] == [f"p{n}" for n in range(53)]
    assert [place for part in parts for place in places(part)] == [("a.parquet", n, None) for n in range(53)]


def test_positions_are_right_across_slices(tmp_path: Path) -> None:
    count = reader_module._BATCH_ROWS + 1000  # noqa: SLF001
    write(tmp_path / "a.parquet", columns(count), rows_per_group=50_000)
    parts = read(reader(tmp_path))
    assert len(parts) > 1
    assert max(len(part.batch) for part in parts) <= reader_module._BATCH_ROWS  # noqa: SLF001
    assert np.concatenate([part.batch.positions for part in parts]).tolist() == list(range(count))
    assert [name for part in parts for name in ids(part)] == [f"p{n}" for n in range(count)]


def test_wide_rows_come_in_small_slices(tmp_path: Path) -> None:
    note = ["x" * 300_000 + str(n) for n in range(400)]
    write(tmp_path / "a.parquet", columns(400, note=note), rows_per_group=400)
    parts = read(reader(tmp_path))
    assert len(parts) > 1
    assert [name for part in parts for name in ids(part)] == [f"p{n}" for n in range(400)]


def test_small_files_share_a_batch_with_their_own_sources_days_and_positions(tmp_path: Path) -> None:
    expected = []
    for number in range(1, 6):
        day = f"2026-03-0{number}"
        write(tmp_path / f"day={day}" / "part.parquet", records(number, start=10 * number))
        expected += [(f"day={day}/part.parquet", row, day) for row in range(number)]
    (part,) = read(reader(tmp_path, value_column="value", day_column="day"))
    assert places(part) == expected
    assert ids(part) == [f"p{10 * number + row}" for number in range(1, 6) for row in range(number)]


def test_files_of_different_columns_do_not_share_a_batch(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(2))
    write(tmp_path / "b.parquet", columns(2, note=["n", None]))
    write(tmp_path / "c.parquet", columns(2, weight=pa.array([1, 2], pa.int16())))
    parts = read(reader(tmp_path))
    assert [[path for path, _, _ in places(part)] for part in parts] == [[f"{name}.parquet"] * 2 for name in "abc"]


def test_only_declared_columns_are_read(tmp_path: Path) -> None:
    table = columns(3, secret=["a" * 50, "b" * 50, "c" * 50], extra=[1, 2, 3])
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, compression="none", use_dictionary=False, write_statistics=False)
    source = reader(tmp_path)
    assert source.columns_of(source.plan().files[0]) == ("event_type", "parcel_id", "weight")
    times = path.stat()
    chunk = pq.read_metadata(path).row_group(0).column(table.schema.names.index("secret"))
    torn = bytearray(path.read_bytes())
    torn[chunk.data_page_offset : chunk.data_page_offset + chunk.total_compressed_size] = (
        b"\xff" * chunk.total_compressed_size
    )
    path.write_bytes(torn)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(OSError, match=r"(?i)thrift|page|parquet"):
        pq.read_table(path)
    (part,) = read(source)
    assert isinstance(part.batch, TypedBatch)
    assert part.batch.columns.schema.names == ["event_type", "parcel_id", "weight"]
    assert ids(part) == ["p0", "p1", "p2"]


def test_a_torn_declared_column_names_file_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(columns(100), path, compression="none", use_dictionary=False)
    chunk = pq.read_metadata(path).row_group(0).column(1)
    torn = bytearray(path.read_bytes())
    torn[chunk.data_page_offset : chunk.data_page_offset + 40] = b"\xff" * 40
    path.write_bytes(torn)
    with pytest.raises(SourceError, match=r"(?s)a\.parquet, rows 0 to 100: cannot be read: .*Try: restore the file"):
        read(reader(tmp_path))


@pytest.mark.parametrize("kind", [pa.binary(), pa.string(), pa.large_binary(), pa.large_string()], ids=str)
def test_a_value_column_of_bytes_or_text(tmp_path: Path, kind: pa.DataType) -> None:
    table = records(3, kind=kind)
    table = pa.concat_tables([table, pa.table({"value": pa.array([None], kind)})])
    write(tmp_path / "a.parquet", table)
    (part,) = read(reader(tmp_path, value_column="value"))
    assert isinstance(part.batch, RawBatch)
    assert part.batch.values == [*(row for row in records(3)["value"].to_pylist()), None]
    assert all(isinstance(value, bytes) for value in part.batch.values[:3])


def test_a_value_column_of_another_type_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"value": [1]}))
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read .*\n  column value: expected bytes or text, got"):
        reader(tmp_path, value_column="value").plan()


def test_a_missing_value_column_shows_what_there_is(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"payload": [b"{}"], "key": [b"k"]}))
    with pytest.raises(
        SourceError, match="column value: value_column names it and it is missing; there is payload, key"
    ):
        reader(tmp_path, value_column="value").plan()


def test_all_problems_of_a_schema_are_listed_with_their_columns(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(1))
    write(tmp_path / "b.parquet", pa.table({"event_type": [1], "weight": [1.5], "note": [7]}))
    with pytest.raises(SourceError) as caught:
        reader(tmp_path).plan()
    first, *problems = str(caught.value).splitlines()
    assert first.endswith("b.parquet cannot be read as this pipeline declares:")
    assert [problem.strip().partition(":")[0] for problem in problems] == [
        "column event_type",
        "column parcel_id (parcel.parcel_id)",
        "column weight (parcel.grams)",
        "column note (parcel.note)",
    ]


def test_metadata_of_a_schema_is_no_other_schema(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(1).replace_schema_metadata({"written by": "one"}))
    write(tmp_path / "b.parquet", columns(1).replace_schema_metadata({"written by": "another"}))
    (part,) = read(reader(tmp_path))
    assert len(part.batch) == 2


def test_a_file_that_changed_after_planning_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", columns(3))
    source = reader(tmp_path)
    unit = one_unit(source)
    write(path, columns(4))
    with pytest.raises(SourceError, match=r"a\.parquet: the file changed while the run was on"):
        list(source.batches(unit))


def test_a_file_touched_or_gone_after_planning_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", columns(3), modified=1_000)
    source = reader(tmp_path)
    unit = one_unit(source)
    os.utime(path, (1_001, 1_001))
    with pytest.raises(SourceError, match="the file changed while the run was on"):
        list(source.batches(unit))
    path.unlink()
    with pytest.raises(SourceError, match="the file changed while the run was on"):
        list(source.batches(unit))
