"""UUIDs: what is taken for one, in JSON and in columns, and how rows and answers show it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from tests.support.pipelines import pipeline_of
from trivium import Event, Executor, NormalizedEvent, Row
from trivium.engine.batch import RawBatch, TypedBatch
from trivium.engine.blocking import BlockingRequests, BlockingWorker
from trivium.engine.requests.worker import encode
from trivium.types.column_types import type_problem
from trivium.types.conform import conform
from trivium.types.rows import row_fields
from trivium.types.structs import derive

TEXT: Final = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
MOMENT: Final = datetime(2024, 1, 1, tzinfo=UTC)


class Paid(Event, tag="paid"):
    id: UUID
    parts: tuple[UUID | None, ...] = ()


class Payment(NormalizedEvent):
    payment: UUID
    parts: tuple[UUID | None, ...] = ()


class Inner(Row):
    id: UUID | None = None


class Outer(Row):
    inner: Inner


class Rows(Executor[Paid, Payment]):
    def process(self, event: Paid) -> Payment:
        assert type(event.id) is UUID
        return Payment(event_id="1", event_time=MOMENT, payment=event.id, parts=event.parts)


class Columns(Executor[Paid, Payment]):
    def process_batch(self, events: pa.RecordBatch) -> Any:
        assert events.schema.field("id").type == pa.string()
        count = events.num_rows
        made = {
            "event_id": pa.array(["1"] * count),
            "event_time": pa.array([MOMENT] * count, pa.timestamp("us", "UTC")),
            "payment": pa.compute.utf8_upper(events.column("id")),
            "parts": events.column("parts"),
        }
        return pa.RecordBatch.from_pydict(made), np.arange(count, dtype=np.int32)


class Texts(Executor[Paid, Payment]):
    def process(self, event: Paid) -> Payment:
        return Payment(event_id="1", event_time=MOMENT, payment=str(event.id))  # type: ignore[arg-type]


ID: Final = row_fields(Paid)[0]


@pytest.mark.parametrize("executor", [Rows, Columns])
@pytest.mark.parametrize("written", [TEXT, TEXT.upper(), TEXT.replace("-", "")])
def test_every_form_becomes_lower_case_with_hyphens(executor: Any, written: str) -> None:
    spec = pipeline_of([executor]).worker_spec
    record = json.dumps({"event_type": "paid", "id": written, "parts": [written, None]}).encode()
    columns = pa.RecordBatch.from_pylist([{"event_type": "paid", "id": written, "parts": [written, None]}])
    position = np.zeros(1, np.int64)
    for batch in (RawBatch([record], "t/0", position), TypedBatch(columns, "t/0", position)):
        (emitted,) = BlockingWorker(spec, {}).run(batch).emitted.values()
        assert emitted.rows.column("payment").to_pylist() == [TEXT]
        assert emitted.rows.column("parts").to_pylist() == [[TEXT, None]]
    (answer,) = json.loads(encode(BlockingRequests(spec, {}).answer(b"[" + record + b"]", max_events=1)))
    assert (answer["rows"][0]["payment"], answer["rows"][0]["parts"]) == (TEXT, [TEXT, None])


@pytest.mark.parametrize(
    "value", ["", "{" + TEXT + "}", "urn:uuid:" + TEXT, " " + TEXT, TEXT + "\n", TEXT[:-1], TEXT.replace("f", "g")]
)
def test_anything_else_is_refused_by_both_doors(value: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="UUID"):
        msgspec.json.decode(msgspec.json.encode({"id": value}), type=derive(Paid, row_fields(Paid)))
    conformed = conform(pa.array([TEXT, value, None]), ID)
    assert conformed.column.to_pylist() == [TEXT, None, None]
    assert [(mask.tolist(), reason) for mask, reason in conformed.flaws] == [
        ([False, True, False], "expected a UUID"),
        ([False, False, True], "a value is required, got null"),
    ]


def test_columns_of_arrows_own_type_are_taken() -> None:
    column = pa.array([UUID(TEXT).bytes], pa.uuid())
    assert type_problem(column.type, ID.type) is None
    assert conform(column, ID).column.to_pylist() == [TEXT]
    assert type_problem(pa.int64(), ID.type) == "expected string, got int64"


def test_a_row_holds_a_uuid_and_no_text() -> None:
    out = BlockingWorker(pipeline_of([Texts]).worker_spec, {}).run(
        RawBatch([f'{{"event_type":"paid","id":"{TEXT}"}}'.encode()], "t/0", np.zeros(1, np.int64))
    )
    (reject,) = out.rejects
    assert reject.error.startswith(f"payment: expected string, got '{TEXT}' (str): ")


def test_a_nested_uuid_has_its_format_in_the_schema() -> None:
    schema = msgspec.json.schema(derive(Outer, row_fields(Outer)))
    assert {"type": "string", "format": "uuid"} in schema["$defs"]["Inner"]["properties"]["id"]["anyOf"]
