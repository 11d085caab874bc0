from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.support.sample_table import SCHEMA, Tables, day, event_rows, write_rows
from trivium.delivery.errors import FileMismatch
from trivium.delivery.files.data_file import DataFile, validate
from trivium.delivery.storage.storage import Storage


def _remove(uri: str, file: DataFile) -> DataFile:
    Path(uri, file.path).unlink()
    return file


def _truncate(uri: str, file: DataFile) -> DataFile:
    content = Path(uri, file.path).read_bytes()
    Path(uri, file.path).write_bytes(content[:-20])
    return file


def _truncate_unnoticed(uri: str, file: DataFile) -> DataFile:
    return replace(_truncate(uri, file), size=file.size - 20)


def _wrong_rows(_uri: str, file: DataFile) -> DataFile:
    return replace(file, rows=file.rows + 1)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_remove, "no longer on storage"),
        (_truncate, "expected bytes"),
        (_truncate_unnoticed, "a Parquet file"),
        (_wrong_rows, "expected rows 2, got 1"),
    ],
)
def test_a_bad_file_is_named_before_anything_is_committed(tables: Tables, damage, says: str):
    generation = tables.begin()
    (file,) = write_rows(tables.uri, event_rows({"a": day(0)}))
    before = tables.snapshot.version
    with pytest.raises(FileMismatch, match=says) as caught:
        tables.commit(tables.proposal(generation, (damage(tables.uri, file),)))
    assert file.path in str(caught.value)
    assert tables.snapshot.version == before


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (SCHEMA.set(2, pa.field("delay", pa.int64())), "column delay int64, got int32"),
        (SCHEMA.append(pa.field("gate", pa.string(), nullable=False)), "column gate string, got no such column"),
        (SCHEMA.remove(2), r"also \['delay'\]"),
    ],
)
def test_a_file_of_another_schema_is_refused(tables: Tables, schema: pa.Schema, says: str):
    files = write_rows(tables.uri, event_rows({"a": day(0)}))
    with pytest.raises(FileMismatch, match=says):
        validate(Storage(tables.uri), files, schema)
