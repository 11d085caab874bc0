"""Rows of every accepted shape are written, committed, compacted and read back equal."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.pipelines import pipeline_of
from tests.support.sample_table import InstantClock
from tests.support.shapes import LEAVES, MOMENT, SHAPES, Shape, patterns
from trivium import Event, Executor, NormalizedEvent, Row
from trivium.config.pipeline import Pipeline
from trivium.delivery.commit.committer import Change, commit
from trivium.delivery.dead_letters.batch import dead_letter_table
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.event_files import EventFiles
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.files.rewrite import EVENTS
from trivium.delivery.maintenance.compaction import compact, small_file_groups
from trivium.delivery.merge import query as merge
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import events_table, open_table
from trivium.engine.batch import Batch, RawBatch, TypedBatch
from trivium.engine.blocking import BlockingRequests, BlockingWorker
from trivium.engine.decoding.decoder import Decoder
from trivium.engine.requests.worker import encode
from trivium.parity.results import DROPPED, InputOutcome, of_answer, of_outcomes, of_tables
from trivium.parity.tables import written_and_read
from trivium.samples.edge_cases import examples, records
from trivium.samples.harness import typed_columns

_EVENTS: Final = 5
_BYTES: Final = 20_000


class Inside(Row):
    city: str


class Sent(Event, tag="sent"):
    id: str
    to: Inside | None = None


class Kept(NormalizedEvent):
    to: Inside | None = None


class Keeps(Executor[Sent, Kept]):
    def process(self, event: Sent) -> Kept:
        return Kept(event_id=event.id, event_time=MOMENT, to=event.to)


@dataclass
class Append:
    """A commit of some files."""

    files: tuple[DataFile, ...]
    fault_point: str | None = None

    def change(self, _snapshot: Snapshot) -> Change:
        return Change(add=self.files)

    def landed(self, snapshot: Snapshot) -> bool:
        return self.files[0].path in snapshot.active


@contextmanager
def tables(pipeline: Pipeline) -> Iterator[Pipeline]:
    """The pipeline with empty tables in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        config = pipeline.config
        update = {name: getattr(config, name).model_copy(update={"path": f"{folder}/{name}"}) for name in _TABLES}
        placed = replace(pipeline, config=config.model_copy(update=update))
        open_table(events_table(f"{folder}/table", placed.name, placed.table_columns, config.table.partition_by))
        open_table(dead_letter_table(f"{folder}/dead_letters", placed.name))
        yield placed


_TABLES: Final = ("table", "dead_letters")


def commit_batches(pipeline: Pipeline, batches: Sequence[Batch]) -> None:
    """Run batches and commit what they made, a file a batch."""
    worker, uri = BlockingWorker(pipeline.worker_spec, {}), pipeline.config.table.path
    files: list[DataFile] = []
    for number, batch in enumerate(batches):
        schema, by = table_schema(pipeline.table_columns), pipeline.config.table.partition_by
        writer = EventFiles(PartitionedFiles(Storage(uri), schema, by, f"unit-{number}", {"_runtime": "streaming"}))
        writer.add(worker.run(batch).emitted.values())
        files += writer.close()
    commit(uri, Append(tuple(files)), InstantClock())


def in_table(pipeline: Pipeline, count: int) -> list[InputOutcome]:
    """What the table holds, through two readers, before and after small files are joined."""
    uri = pipeline.config.table.path
    before = list(of_tables(pipeline, count))
    merged = sorted_rows(merge.read(uri))
    snapshot = Snapshot.latest(uri)
    compacted = compact(uri, EVENTS, small_file_groups(snapshot, EVENTS, lambda _: True), InstantClock())
    assert compacted.files_before > compacted.files_after == 1
    assert list(of_tables(pipeline, count)) == before
    assert sorted_rows(merge.read(uri)) == merged == sorted_rows(DeltaTable(uri).to_pyarrow_table())
    return before


def sorted_rows(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: (row["_event_type"], row["_position"]))


def served(pipeline: Pipeline, values: Sequence[bytes]) -> list[InputOutcome]:
    answers = BlockingRequests(pipeline.worker_spec, {}).answer(b"[" + b",".join(values) + b"]", max_events=len(values))
    return [of_answer(pipeline, answer) for answer in json.loads(encode(answers))]


def raw_batches(values: Sequence[bytes]) -> list[Batch]:
    """The records in two batches."""
    middle = len(values) // 2
    parts = ((0, middle), (middle, len(values)))
    return [RawBatch(values[low:high], "t/0", np.arange(low, high, dtype=np.int64)) for low, high in parts]


def typed_batches(pipeline: Pipeline, values: Sequence[bytes]) -> list[Batch]:
    """The same events as typed columns, a batch a type."""
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    decoded = Decoder(declarations, "event_type").decode(values)
    assert not decoded.rejects
    return [
        TypedBatch(typed_columns(declarations[name], events, "event_type"), "t/0", np.asarray(rows, np.int64))
        for name, (rows, events) in decoded.events.items()
    ]


def check_shapes(shapes: Sequence[Shape]) -> None:
    """Hold every way of one pipeline with these types to the answers of a request, in both forms."""
    forms = zip(*(shape.executors(f"t{number}") for number, shape in enumerate(shapes)), strict=True)
    row_form, column_form = (pipeline_of(form) for form in forms)
    values = numbered(row_form)
    expected = served(row_form, values)
    assert {each.outcome for each in expected} == {"emitted"}
    assert served(column_form, values) == expected
    raw, typed = raw_batches(values), typed_batches(row_form, values)
    for pipeline, committed, other in ((row_form, raw, typed), (column_form, typed, raw)):
        with tables(pipeline) as placed:
            commit_batches(placed, committed)
            assert in_table(placed, len(values)) == expected
        assert in_files(pipeline, other, len(values)) == expected


def in_files(pipeline: Pipeline, batches: Sequence[Batch], count: int) -> list[InputOutcome]:
    found: list[InputOutcome] = [DROPPED] * count
    worker = BlockingWorker(pipeline.worker_spec, {})
    for batch in batches:
        out = worker.run(replace(batch, positions=np.arange(len(batch), dtype=np.int64)))
        with tempfile.TemporaryDirectory() as folder:
            seen = of_outcomes(pipeline, out, written_and_read(pipeline, out, Path(folder)))
        for position, each in zip(batch.positions.tolist(), seen, strict=True):
            found[position] = each
    return found


def numbered(pipeline: Pipeline) -> list[bytes]:
    """Some events of each type, those that leave out what they may among them, each with an id of its own."""
    made = []
    for bound in pipeline.executors.values():
        found = examples(records(bound.declaration, "event_type"), _EVENTS)
        drawn = [msgspec.json.decode(each) for each in found if len(each) < _BYTES] or [msgspec.json.decode(found[0])]
        optional = {spec.wire for spec in bound.declaration.event_fields if not spec.required}
        made += [*drawn, {name: value for name, value in drawn[0].items() if name not in optional}]
    return [msgspec.json.encode({**event, "id": str(number)}) for number, event in enumerate(made)]


def try_shapes(count: int) -> None:
    @settings(
        max_examples=count, database=None, derandomize=True, deadline=None,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(SHAPES, min_size=2, max_size=2))
    def check(shapes: list[Shape]) -> None:
        check_shapes(shapes)

    check()


def test_every_type_in_every_place() -> None:
    check_shapes([Shape(tuple(each)) for each in zip(*map(patterns, LEAVES), strict=True)])


def test_shapes_of_every_depth() -> None:
    try_shapes(6)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_five_hundred_shapes() -> None:
    try_shapes(500)


def test_a_table_of_an_earlier_version_with_children_declared_not_null() -> None:
    strict = pa.struct([pa.field("city", pa.string(), nullable=False)])
    values = [b'{"event_type":"sent","id":"0","to":{"city":"Oslo"}}', b'{"event_type":"sent","id":"1"}']
    pipeline = pipeline_of([Keeps])
    columns = pipeline.table_columns
    older = columns.set(columns.get_field_index("to"), pa.field("to", strict))
    with tables(replace(pipeline, table_columns=older)) as made:
        uri, by = made.config.table.path, made.config.table.partition_by
        open_table(events_table(uri, made.name, columns, by))
        placed = replace(made, table_columns=columns)
        commit_batches(placed, raw_batches(values))
        assert in_table(placed, 2) == served(placed, values)
        events = DeltaTable(uri).to_pyarrow_dataset()
        with duckdb.connect() as connection:
            connection.register("events", events)
            found = connection.sql('SELECT event_id, "to".city FROM events ORDER BY 1').fetchall()
    assert found == [("0", "Oslo"), ("1", None)]
