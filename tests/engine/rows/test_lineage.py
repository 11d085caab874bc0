"""The columns the engine adds to every row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa

from tests.support.engine_inputs import Probe
from tests.support.flow_events import Item, Line, column_form, emitted, every, items, line, lines, row_form, worker
from trivium import Executor
from trivium.config.worker_spec import spec_of
from trivium.engine.batch import RawBatch, TypedBatch
from trivium.engine.blocking import BlockingWorker
from trivium.engine.rows.emitted import event_date
from trivium.testing import ManualClock


def test_where_a_row_came_from() -> None:
    batch = RawBatch(items([5, 6]).values, "flights/3", np.array([1000, 1007]))
    clock = ManualClock(seconds=1_700_000_000.25)
    out = worker(row_form(lambda e: [line(e), line(e, event_id=f"second of {e.n}")]), clock).run(batch)
    assert emitted(out, "_source") == ["flights/3"] * 4
    assert emitted(out, "_position") == [1000, 1000, 1007, 1007]
    assert emitted(out, "_row") == [0, 1, 0, 1]
    assert emitted(out, "_event_type") == ["item"] * 4
    assert emitted(out, "_ingested_at") == [datetime.fromtimestamp(1_700_000_000.25, UTC)] * 4
    assert emitted(out, "_enrichments") == [None] * 4


def test_positions_follow_routing_and_drops() -> None:
    one, two = Probe(int).rows, row_form(lambda e: line(e) if e.n else None)
    values = [
        b'{"event_type":"item","n":0}',
        b'{"event_type":"given","value":1}',
        b"{",
        b'{"event_type":"item","n":3}',
        None,
        b'{"event_type":"given","value":5}',
    ]
    out = BlockingWorker(spec_of([one, two]), {}).run(RawBatch(values, "t/0", np.arange(10, 16)))
    assert emitted(out, "_position") == [13]
    assert emitted(out, "_position", "given") == [11, 15]
    assert out.emitted["given"].parents.tolist() == [1, 5]


def test_the_hashes_are_the_plans() -> None:
    spec = spec_of([row_form(line)])
    out = BlockingWorker(spec, {}).run(items([1]))
    assert emitted(out, "_logic") == [spec.logic]
    assert emitted(out, "_plan") == [spec.plan]


def test_event_date_is_the_utc_date() -> None:
    east = timezone(timedelta(hours=2))
    moments = [
        datetime(2024, 3, 1, 1, 59, 59, tzinfo=east),
        datetime(2024, 3, 1, 2, 0, tzinfo=east),
        datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
    ]
    out = worker(row_form(lambda e: line(e, event_time=moments[e.n]))).run(items(range(4)))
    dates = [date(2024, 2, 29), date(2024, 3, 1), date(2024, 2, 29), date(1970, 1, 1)]
    assert emitted(out, "event_date") == dates


def test_event_date_before_1970() -> None:
    moment = pa.array([datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    assert event_date(moment).to_pylist() == [date(1969, 12, 31)]


def test_both_forms_give_the_same_columns() -> None:
    def process(events: pa.RecordBatch) -> Any:
        return lines(events), every(events.num_rows)

    batch = items(range(3))
    row, column = (worker(form).run(batch).emitted["item"].rows for form in (row_form(line), column_form(process)))
    assert row.schema.names == column.schema.names
    assert row.to_pylist() == column.to_pylist()


def test_typed_columns_carry_their_file_and_row() -> None:
    class Keep(Executor[Item, Line]):
        def process(self, event: Item) -> Line:
            return line(event)

    columns = pa.RecordBatch.from_pydict({"event_type": ["item", "item"], "n": [1, 2]})
    out = worker(Keep).run(TypedBatch(columns, "day=2024-01-01/a.parquet", np.array([7, 8])))
    assert emitted(out, "_source") == ["day=2024-01-01/a.parquet"] * 2
    assert emitted(out, "_position") == [7, 8]


def test_records_of_several_files_in_one_batch() -> None:
    names = pa.array(["a", "a", "b"]).dictionary_encode()
    out = worker(row_form(lambda e: line(e) if e.n else None)).run(
        RawBatch(items(range(3)).values, names, np.arange(3))
    )
    assert emitted(out, "_source") == ["a", "b"]
