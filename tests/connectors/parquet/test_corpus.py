"""Files of many writers are read as the same events; unreadable ones are refused by name."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.kafka_batches import columns, ids, reader, records, write
from tests.support.parquet_corpus import EXPECTED, TABLE, WRITERS, ThingExecutor, uuid_of
from trivium.config.model.sources import ParquetSource
from trivium.config.worker_spec import spec_of
from trivium.connectors import open_source
from trivium.core.errors import SourceError
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker

DECLARATIONS = {"thing": ThingExecutor.declaration}


def things(path: Path, unit_rows: int = 1000, **settings: Any) -> dict[str, str]:
    """By event, what its executor saw."""
    source = open_source(ParquetSource(type="parquet", path=str(path), **settings), DECLARATIONS, "event_type")
    worker, found = BlockingWorker(spec_of([ThingExecutor]), {}), {}
    for unit in source.plan().units(unit_rows, None):
        for part in source.batches(unit):
            out = worker.run(part.batch)
            assert out.rejects == []
            rows = out.emitted["thing"].rows
            found |= dict(zip(rows["event_id"].to_pylist(), rows["seen"].to_pylist(), strict=True))
    return found


@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_is_read_as_the_same_events(tmp_path: Path, writer: str) -> None:
    WRITERS[writer](tmp_path / "part.parquet")
    timezone = "UTC" if writer == "int96" else None
    assert things(tmp_path, timezone=timezone) == EXPECTED
    assert things(tmp_path, unit_rows=1, timezone=timezone) == EXPECTED


def test_files_of_all_writers_in_one_folder(tmp_path: Path) -> None:
    for name, writer in WRITERS.items():
        (tmp_path / name).mkdir()
        writer(tmp_path / name / "part")
    assert things(tmp_path, timezone="UTC") == EXPECTED


def test_uuids_are_text_or_bytes_as_declared(tmp_path: Path) -> None:
    made = [uuid_of(number) for number in range(24)]
    column = pa.array([None if number == 1 else each.bytes for number, each in enumerate(made)], pa.uuid())
    table = TABLE.set_column(3, "code", column).set_column(9, "raw", column)
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=7)
    found = things(tmp_path)
    assert all(f"'code': '{made[n]}'" in found[f"t{n}"] and repr(made[n].bytes) in found[f"t{n}"] for n in (0, 2, 23))
    assert "'code': None" in found["t1"]


@pytest.mark.parametrize(
    ("name", "kind", "problem"),
    [
        ("size", pa.uuid(), r"column size \(thing\.size\): expected int64, got extension<arrow\.uuid>"),
        ("size", pa.string(), r"column size \(thing\.size\): expected int64, got string"),
        ("names", pa.map_(pa.string(), pa.int64()), r"column names \(thing\.names\): expected list<.*>, got map<"),
        ("at", pa.time64("us"), r"column at \(thing\.at\): expected timestamp\[us, tz=UTC\], got time64\[us\]"),
        ("code", pa.int64(), r"column code \(thing\.code\): expected string, got int64"),
    ],
)
def test_a_column_of_another_kind_is_one_problem(tmp_path: Path, name: str, kind: pa.DataType, problem: str) -> None:
    at = TABLE.schema.get_field_index(name)
    pq.write_table(TABLE.set_column(at, name, pa.nulls(24, kind)), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=problem):
        things(tmp_path)


def test_two_columns_of_one_name_are_named(tmp_path: Path) -> None:
    table = columns(2).append_column("weight", pa.array([7, 8])).append_column("extra", pa.array([1, 2]))
    write(tmp_path / "a.parquet", table)
    message = r"a\.parquet cannot be read .*\n  column weight: the file has 2 columns of this name"
    with pytest.raises(SourceError, match=message):
        reader(tmp_path).plan()


def test_two_columns_of_one_name_that_nobody_declared_do_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(2, x=[1, 2]).append_column("x", pa.array([3, 4])))
    (part,) = reader(tmp_path).batches(reader(tmp_path).plan().units(10, None)[0])
    assert ids(part) == ["p0", "p1"]


def test_dots_in_names_of_columns(tmp_path: Path) -> None:
    table = columns(2, **{"weight.kg": [1.5, 2.5], "event_type.x": ["a", "b"]})
    write(tmp_path / "a.parquet", table)
    (part,) = reader(tmp_path).batches(reader(tmp_path).plan().units(10, None)[0])
    assert part.batch.columns.schema.names == ["event_type", "parcel_id", "weight"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "kind", [pa.string_view(), pa.binary_view(), pa.dictionary(pa.int8(), pa.string()), pa.json_()], ids=str
)
def test_a_value_column_of_any_layout(tmp_path: Path, kind: pa.DataType) -> None:
    values = records(3).column("value").combine_chunks()
    column = (
        pa.ExtensionArray.from_storage(kind, values.cast(pa.string()))
        if isinstance(kind, pa.BaseExtensionType)
        else values.cast(pa.string()).cast(kind)
    )
    for name in ("a.parquet", "b.parquet"):
        write(tmp_path / name, pa.table({"value": column}))
    (part,) = reader(tmp_path, value_column="value").batches(
        reader(tmp_path, value_column="value").plan().units(10, None)[0]
    )
    assert isinstance(part.batch, RawBatch)
    assert ids(part) == ["p0", "p1", "p2"] * 2


@pytest.mark.parametrize("settings", [{}, {"value_column": "value"}])
def test_a_page_whose_bytes_were_changed_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    table = records(100) if settings else columns(100)
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    source = reader(tmp_path, **settings)
    (unit,) = source.plan().units(1000, None)
    times, torn = path.stat(), bytearray(path.read_bytes())
    chunk = pq.read_metadata(path).row_group(0).column(0 if settings else 1)
    torn[chunk.data_page_offset + chunk.total_compressed_size - 3] ^= 1
    path.write_bytes(torn)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(SourceError, match=r"a\.parquet, rows 0 to 100: cannot be read: .*(CRC|checksum)"):
        list(source.batches(unit))


def largest(path: Path, **settings: Any) -> tuple[int, int]:
    """The bytes of the largest batch, and the rows of all."""
    source = reader(path, **settings)
    sizes, rows = [0], 0
    for unit in source.plan().units(10_000_000, None):
        for part in source.batches(unit):
            batch = part.batch
            sizes.append(batch.values.nbytes if isinstance(batch, RawBatch) else batch.columns.nbytes)  # type: ignore[attr-defined]
            rows += len(batch)
    return max(sizes), rows


LIMIT = 68 << 20


@pytest.mark.parametrize("stored", [True, False], ids=["dictionary", "plain"])
@pytest.mark.parametrize("order", ["mixed", "long last", "one giant"])
def test_a_batch_is_bounded_by_its_decoded_size(tmp_path: Path, order: str, *, stored: bool) -> None:
    """Notes of 40 KB or of 20 MB, each written once and referred to by many rows."""
    rows = 8_000
    if order == "one giant":
        notes, places = ["short", "giant" * 4_000_000], np.zeros(rows, np.int32)
        places[[5, 6, 7, rows - 1]] = 1
    else:
        notes = [f"note {number} " * 5_000 for number in range(20)]
        places = np.arange(rows, dtype=np.int32) % 20
        if order == "long last":
            notes, places = ["", *notes], np.where(np.arange(rows) < rows - 2000, 0, places + 1).astype(np.int32)
    column = pa.DictionaryArray.from_arrays(pa.array(places), pa.array(notes))
    pq.write_table(columns(rows, note=column), tmp_path / "a.parquet", store_schema=stored, row_group_size=rows)
    assert (tmp_path / "a.parquet").stat().st_size < 2 << 20
    size, count = largest(tmp_path)
    assert count == rows
    assert 20 << 20 < size <= LIMIT


def test_lists_of_long_repeated_texts_are_bounded(tmp_path: Path) -> None:
    texts = pa.array([f"{number}" * 20_000 for number in range(10)])
    places = pa.array(np.arange(60_000, dtype=np.int32) % 10)
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(0, 12_001, 3, dtype=np.int32)), pa.DictionaryArray.from_arrays(places, texts)
    )
    rows = 4_000
    table = pa.table({"event_type": ["thing"] * rows, "thing_id": [f"{n}" for n in range(rows)], "names": lists})
    table = table.append_column("at", pa.array([0] * rows, pa.timestamp("us", "UTC")))
    pq.write_table(table, tmp_path / "a.parquet", store_schema=False, row_group_size=rows)
    source = open_source(ParquetSource(type="parquet", path=str(tmp_path)), DECLARATIONS, "event_type")
    (unit,) = source.plan().units(10_000_000, None)
    sizes = [part.batch.columns.nbytes for part in source.batches(unit)]  # type: ignore[union-attr]
    assert max(sizes) <= LIMIT
    assert len(sizes) >= math.floor(sum(sizes) / LIMIT)


def test_one_row_above_the_limit_is_a_batch_of_its_own(tmp_path: Path) -> None:
    notes = ["a", "b" * (90 << 20), "c"]
    write(tmp_path / "a.parquet", columns(3, note=notes))
    source = reader(tmp_path)
    assert [ids(part) for part in source.batches(source.plan().units(10, None)[0])] == [["p0"], ["p1"], ["p2"]]


def test_an_archive_of_distinct_records_comes_in_large_batches(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", records(200_000), rows_per_group=100_000)
    source = reader(tmp_path, value_column="value")
    parts = [part for unit in source.plan().units(1_000_000, None) for part in source.batches(unit)]
    assert len(parts) == math.ceil(200_000 / 65_536)


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_long_values_without_a_dictionary_are_bounded(tmp_path: Path, encoding: str) -> None:
    rows, text = 1_200, "prefix " * 15_000
    table = columns(rows, note=[f"{text}{number}" for number in range(rows)])
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, use_dictionary=False, column_encoding={"note": encoding}, row_group_size=rows)
    size, count = largest(tmp_path)
    assert (count, 20 << 20 < size <= LIMIT) == (rows, True)


def test_long_repeated_records_of_the_type_json_are_bounded(tmp_path: Path) -> None:
    texts = [f'{{"event_type":"parcel","parcel_id":"p{n}","weight":{n},"x":"{"long " * 10_000}"}}' for n in range(5)]
    storage = pa.array([texts[number % 5] for number in range(3_000)])
    pq.write_table(pa.table({"value": pa.ExtensionArray.from_storage(pa.json_(), storage)}), tmp_path / "a.parquet")
    size, count = largest(tmp_path, value_column="value")
    assert (count, 20 << 20 < size <= LIMIT) == (3_000, True)
