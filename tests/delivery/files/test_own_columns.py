"""Files that lack the columns of other event types: every filter gives every reader the rows it gives in memory."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tests.support.proposals import Append
from tests.support.sample_table import PIPELINE, SCHEMA, InstantClock, day, event_rows
from tests.support.table_readers import READERS, Predicate
from trivium.delivery.commit.committer import commit
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import events_table, open_table

OWN = {
    "a": ("number", pa.int64(), [1, 5]),
    "b": ("label", pa.string(), ["x", "y"]),
    "c": ("ratio", pa.float64(), [0.5, 9.0]),
}
AUTHOR = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_time", pa.timestamp("us", "UTC"), nullable=False),
        *(pa.field(name, kind) for name, kind, _ in OWN.values()),
    ]
)


def rows_of(event_type: str) -> pa.Table:
    name, kind, values = OWN[event_type]
    rows = event_rows({f"{event_type}{at}": day(0) for at in range(2)}).drop_columns(["delay", "vector"])
    place = rows.column_names.index("_event_type")
    typed = rows.set_column(place, SCHEMA.field("_event_type"), pa.array([event_type] * 2))
    return typed.append_column(name, pa.array(values, kind))


@pytest.fixture(scope="module", params=["a file a type", "two types share a file"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, Any]]]:
    uri = str(tmp_path_factory.mktemp("own") / "table")
    spec = events_table(uri, PIPELINE, AUTHOR, ["event_date"])
    open_table(spec)
    files: list[DataFile] = []
    for types in ("a", "b", "c") if request.param == "a file a type" else ("ab", "c"):
        writer = PartitionedFiles(Storage(uri), spec.schema, ["event_date"], "u", {"_runtime": "streaming"})
        for each in types:
            writer.write(rows_of(each))
        files += writer.close()
    commit(uri, Append(tuple(files)), InstantClock())
    rows = [{**dict.fromkeys(AUTHOR.names), **row} for each in OWN for row in rows_of(each).to_pylist()]
    return uri, rows


PREDICATES = [
    *(Predicate((name,), sign) for name, _, _ in OWN.values() for sign in ("is null", "is not null")),
    *(
        Predicate((name,), sign, value)
        for name, _, values in OWN.values()
        for value in values
        for sign in ("=", ">=", "<")
    ),
]


@pytest.mark.parametrize("reader", READERS)
def test_every_filter_finds_what_it_finds_in_memory(table: tuple[str, list[dict[str, Any]]], reader: str) -> None:
    uri, rows = table
    for predicate in PREDICATES:
        found = READERS[reader](uri, predicate)
        expected = sorted(row["event_id"] for row in rows if predicate.holds(row))
        assert found is None or sorted(found) == expected, predicate
