"""Files of many event types: every row once, in its type's own columns, in few files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.types import executor, records
from trivium.config.worker_spec import spec_of
from trivium.delivery.files import event_files, open_partition
from trivium.delivery.files.event_files import EventFiles
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker

TYPES = [executor(number) for number in range(6)]


def written(folder: Path, events: int = 600, size: int = 50, apart: tuple[str, ...] = ()) -> list[pa.Table]:
    worker = BlockingWorker(spec_of(TYPES), {})
    schema = table_schema(worker.worker.spec.table_columns)
    files = EventFiles(
        PartitionedFiles(Storage(str(folder)), schema, ["event_date"], "u", {"_runtime": "streaming"}, apart)
    )
    for number, values in enumerate(records(len(TYPES), size, events)):
        outcomes = worker.run(RawBatch(values, "s", np.arange(number * size, (number + 1) * size)))
        files.add(outcomes.emitted.values())
    return [pq.read_table(folder / file.path, partitioning=None) for file in files.close()]


def found(tables: list[pa.Table]) -> dict[str, tuple[str, Any]]:
    """Each row's type and first own column, by its identity."""
    rows = [row for table in tables for row in table.to_pylist()]
    values = {row["event_id"]: (row["_event_type"], row[f"c{row['_event_type'][1:]}_0"]) for row in rows}
    assert len(values) == len(rows)
    return values


EXPECTED = {str(at): (f"t{at % 6}", at) for at in range(600)}


def test_rows_of_many_small_batches_share_one_file_sorted_by_type(tmp_path: Path) -> None:
    (table,) = written(tmp_path)
    assert found([table]) == EXPECTED
    types = table["_event_type"].to_pylist()
    assert types == sorted(types)
    positions = table.filter(pa.compute.equal(table["_event_type"], "t3"))["_position"].to_pylist()
    assert positions == sorted(positions)
    assert table["c0_0"].null_count == 500


def test_what_waits_is_bounded_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "_MOST_BYTES", 20_000)
    monkeypatch.setattr(event_files, "_ENOUGH_ROWS", 20)
    monkeypatch.setattr(open_partition, "_ROWS_PER_GROUP", 100)
    tables = written(tmp_path)
    assert found(tables) == EXPECTED


def test_types_with_columns_of_their_own_share_files_only_as_far_as_it_pays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_partition, "_ROWS_PER_FILE", 150)
    tables = written(tmp_path)
    assert found(tables) == EXPECTED
    assert [sorted(set(table["_event_type"].to_pylist())) for table in tables] == [
        ["t0", "t1"],
        ["t2", "t3"],
        ["t4", "t5"],
    ]
    assert [name for name in tables[0].column_names if name.endswith("_0")] == ["c0_0", "c1_0"]


def test_a_file_of_one_type_has_its_columns_only(tmp_path: Path) -> None:
    tables = written(tmp_path, apart=("_event_type",))
    assert found(tables) == EXPECTED
    assert [len(set(table["_event_type"].to_pylist())) for table in tables] == [1] * 6
    assert all(sum(name.endswith("_0") for name in table.column_names) == 1 for table in tables)
