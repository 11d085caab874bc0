"""Every built-in archive keeps the contract of batch sources, as a source of one's own has to."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.archive_source import ArchiveSource
from tests.support.kafka_batches import DECLARATIONS, columns, records
from trivium.config.model.sources import DeltaSource, FileSource, NdjsonSource, ParquetSource
from trivium.connectors import open_source
from trivium.testing import assert_batch_source_compliance

DAY = "2026-03-01"


def parquet(folder: Path) -> FileSource:
    for name, start in (("a", 0), ("b", 100)):
        (folder / f"day={DAY}").mkdir(exist_ok=True)
        pq.write_table(columns(50, start), folder / f"day={DAY}/{name}.parquet", row_group_size=20)
    return ParquetSource(type="parquet", path=str(folder), day_column="day")


def raw_parquet(folder: Path) -> FileSource:
    pq.write_table(records(50), folder / "a.parquet", row_group_size=20)
    return ParquetSource(type="parquet", path=str(folder), value_column="value")


def delta(folder: Path) -> FileSource:
    for start in (0, 100):
        table = columns(30, start, day=pa.array([DAY] * 30))
        deltalake.write_deltalake(str(folder), table, partition_by=["day"], mode="append")
    return DeltaSource(type="delta", path=str(folder), day_column="day")


def ndjson(folder: Path) -> FileSource:
    text = b"".join(json.dumps(row).encode() + b"\n" for row in columns(150_000).to_pylist())
    (folder / f"day={DAY}").mkdir(exist_ok=True)
    (folder / f"day={DAY}/a.ndjson").write_bytes(text)
    (folder / f"day={DAY}/b.jsonl.gz").write_bytes(gzip.compress(text[:1000] + b"\n\n"))
    return NdjsonSource(type="ndjson", path=str(folder), day_column="day")


@pytest.mark.parametrize("made", [parquet, raw_parquet, delta, ndjson])
def test_it_complies(made: Callable[[Path], FileSource], tmp_path: Path) -> None:
    section = made(tmp_path)
    parts = list(ArchiveSource(open_source(section, DECLARATIONS, "event_type")).parts())
    assert len(parts) > 1

    def change() -> None:
        if section.type == "delta":
            deltalake.DeltaTable(str(tmp_path)).delete("parcel_id = 'p7'")
        else:
            (file,) = tmp_path.rglob("a.*")
            os.utime(file, (1, 1))

    assert_batch_source_compliance(lambda: ArchiveSource(open_source(section, DECLARATIONS, "event_type")), change)
