"""The event type in a column of its own: what a header or topic said when the archive was written."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from tests.support.kafka_batches import DECLARATIONS, ParcelExecutor, write
from tests.support.pipelines import pipeline_of
from trivium.config.model.pipeline import Batch, Routing
from trivium.config.model.sources import ParquetSource
from trivium.config.pipeline import Pipeline
from trivium.connectors import open_source
from trivium.connectors.archive.reader import SourceReader
from trivium.connectors.archive.slices import Slice
from trivium.core.errors import SourceError
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker

KINDS = ["parcel", None, "letter", "", "parcel", "parcel"]
ROWS: list[dict[str, Any]] = [{"parcel_id": f"p{n}", "weight": n} for n in range(len(KINDS))]
ROWS[4]["weight"] = None  # a reject


def reader(path: Path, **settings: Any) -> SourceReader:
    source = ParquetSource(type="parquet", path=str(path), type_column="kind", **settings)
    return open_source(source, DECLARATIONS, "kind")


def raw_table(kind: pa.DataType, kinds: list[Any] = KINDS) -> pa.Table:
    values = [msgspec.json.encode(row) for row in ROWS[: len(kinds)]]
    return pa.table({"value": values, "kind": pa.array(kinds).cast(kind), "unread": [0] * len(kinds)})


def only(source: SourceReader) -> Slice:
    (unit,) = source.plan().units(1_000_000, None)
    (part,) = source.batches(unit)
    return part


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string())], ids=str
)
def test_types_beside_raw_records(tmp_path: Path, kind: pa.DataType) -> None:
    write(tmp_path / "a.parquet", raw_table(kind))
    source = reader(tmp_path, value_column="value")
    batch = only(source).batch
    assert isinstance(batch, RawBatch)
    assert batch.types == KINDS
    assert source.columns_of(source.plan().files[0]) == ("value", "kind")


def test_no_types_without_the_column_being_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", raw_table(pa.string()))
    source = ParquetSource(type="parquet", path=str(tmp_path), value_column="value")
    batch = only(open_source(source, DECLARATIONS, "event_type")).batch
    assert isinstance(batch, RawBatch)
    assert batch.types is None


def test_a_type_that_is_no_text_is_a_reject_of_its_record_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", raw_table(pa.binary(), [b"parcel", b"\xff", b"parcel"]))
    batch = only(reader(tmp_path, value_column="value")).batch
    out = BlockingWorker(pipeline(Routing(header="kind"), tmp_path, "value").worker_spec, {}).run(batch)
    assert [(each.index, each.reason) for each in out.rejects] == [(1, "encoding")]
    assert out.emitted["parcel"].parents.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (
            pa.table({"value": [b"{}"]}),
            "column kind: type_column names it and it is missing, in folders' names too; there is value",
        ),
        (pa.table({"value": [b"{}"], "kind": [1]}), "column kind: expected bytes or text, got int64"),
    ],
)
def test_a_column_that_cannot_name_types_is_one_problem(tmp_path: Path, table: pa.Table, problem: str) -> None:
    write(tmp_path / "a.parquet", table)
    with pytest.raises(SourceError, match=problem):
        reader(tmp_path, value_column="value").plan()


def pipeline(routing: Routing, path: Path, value_column: str | None = None) -> Pipeline:
    """The parcels' pipeline with this routing over an archive at `path`."""
    made = pipeline_of([ParcelExecutor], routing=routing)
    type_column = None if routing.by_body else "kind"
    source = ParquetSource(type="parquet", path=str(path), value_column=value_column, type_column=type_column)
    config = made.config.model_copy(update={"batch": Batch(source=source)})
    return replace(made, config=config)


def outcomes(made: Pipeline) -> tuple[Any, ...]:
    """Rows, drops and rejects of the whole archive, each input by its position."""
    assert made.config.batch is not None
    part = only(open_source(made.config.batch.source, DECLARATIONS, made.config.type_column))
    out = BlockingWorker(made.worker_spec, {}).run(part.batch)
    emitted = out.emitted["parcel"]
    assert sum(counts.read for counts in out.counts().values()) == len(KINDS)
    return (
        list(zip(emitted.parents.tolist(), emitted.rows.select(["event_id", "grams"]).to_pylist(), strict=True)),
        {name: rows.tolist() for name, rows in out.dropped.items()},
        sorted((each.index, each.stage, each.reason, each.event_type) for each in out.rejects),
    )


def test_field_header_and_topic_raw_and_typed_give_the_same_outcomes(tmp_path: Path) -> None:
    tagged = [{**row, **({} if kind is None else {"event_type": kind})} for row, kind in zip(ROWS, KINDS, strict=True)]
    misleading = [msgspec.json.encode({**row, "event_type": "letter"}) for row in ROWS]
    columns = {name: [row[name] for row in ROWS] for name in ("parcel_id", "weight")}
    tables = {
        "raw-field": pa.table({"value": [msgspec.json.encode(row) for row in tagged]}),
        "raw-named": pa.table({"value": misleading, "kind": KINDS}),
        "typed-field": pa.table({**columns, "event_type": KINDS}),
        "typed-named": pa.table({**columns, "kind": KINDS}),
    }
    for name, table in tables.items():
        write(tmp_path / name / "a.parquet", table)
    named = [Routing(header="kind"), Routing(topics={"parcels": "parcel"})]
    found = [
        outcomes(pipeline(Routing(), tmp_path / "raw-field", "value")),
        outcomes(pipeline(Routing(), tmp_path / "typed-field")),
        *(outcomes(pipeline(routing, tmp_path / "raw-named", "value")) for routing in named),
        *(outcomes(pipeline(routing, tmp_path / "typed-named")) for routing in named),
    ]
    assert found[0] == (
        [(0, {"event_id": "p0", "grams": 0}), (5, {"event_id": "p5", "grams": 5})],
        {"_unrouted": [2, 3]},
        [(1, "decode", "no_tag", None), (4, "decode", "invalid", "parcel")],
    )
    assert all(each == found[0] for each in found)
