"""trivium.run in this process: every form data may come in, and what is said of data that cannot be used."""

import json
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import trivium
from tests.support.notebook_flights import MOMENT, PLANES, DepartureExecutor, event
from trivium.notebook.errors import InputError
from trivium.notebook.result import RunResult

TIMES = pa.array([datetime(2024, 1, 1, 8, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC"))
TABLE = pa.table({"flight": ["A", "B"], "scheduled": TIMES, "delay": pa.array([20, None], pa.int64())})


def run(data: Any, **given: Any) -> RunResult:
    """The executor on data, with its lookup."""
    return trivium.run(DepartureExecutor, data, lookups={"plane": PLANES}, **given)


def flights(result: RunResult) -> list[str]:
    return result.rows.column("event_id").to_pylist()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param([event("A"), event("B", delay=None)], id="dicts"),
        pytest.param((event(name, delay=20 if name == "A" else None) for name in "AB"), id="generator"),
        pytest.param([json.dumps(event("A")), json.dumps(event("B", delay=None)).encode()], id="lines"),
        pytest.param(json.dumps(event("A")) + "\n\n" + json.dumps(event("B", delay=None)) + "\n", id="text"),
        pytest.param((json.dumps(event("A")) + "\n" + json.dumps(event("B", delay=None))).encode(), id="bytes"),
        pytest.param(TABLE, id="table"),
        pytest.param(TABLE.to_batches()[0], id="record-batch"),
        pytest.param(TABLE.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get), id="pandas"),
        pytest.param(pl.from_arrow(TABLE), id="polars"),
    ],
)
def test_every_form_gives_the_same_answer(data: Any) -> None:
    result = run(data)
    assert result.rows.to_pylist() == [
        {
            "event_id": "A",
            "event_time": datetime(2024, 1, 1, 8, tzinfo=UTC),
            "delay": 20,
            "late": True,
            "model": None,
        }
    ]
    assert result.dropped.select(["index", "reason"]).to_pylist() == [{"index": 1, "reason": "executor"}]
    assert result.rejected.num_rows == 0
    assert result.total.balanced()


def test_rows_come_in_the_order_of_their_events_with_their_index() -> None:
    result = run([event("A"), event("B", delay=None), event("C", scheduled="soon"), event("D")])
    assert flights(result) == ["A", "D"]
    assert result.parents.to_pylist() == [0, 3]
    assert result.rejected.column("index").to_pylist() == [2]


def test_values_of_python_are_written_as_the_decoder_reads_them() -> None:
    moment = datetime(2024, 1, 1, 8, tzinfo=UTC)
    given = [event("A", scheduled=moment, delay=np.int64(3), undeclared=[Decimal("1.5"), b"x", (1, None)])]
    result = run(given)
    assert result.rows.column("event_time").to_pylist() == [moment]
    assert result.rows.column("delay").to_pylist() == [3]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (event(scheduled="2024-01-01T08:00:00"), "invalid"),
        (event(delay=1.0), "invalid"),
        (event(delay=2**40), "invalid"),
        (event(delay=float("nan")), "malformed"),
        (event(delay=-500), "RejectError"),
        ("{", "malformed"),
        (b"\xef\xbb\xbf{}", "malformed"),
        ("[]", "invalid"),
        ("{}", "invalid"),
        ('{"flight": "A", "flight": 1}', "invalid"),
        (event(event_type=7), "no_tag"),
    ],
)
def test_a_wrong_event_is_a_reject_and_never_an_error(wrong: Any, reason: str) -> None:
    result = run([event("A"), wrong, event("B")])
    assert flights(result) == ["A", "B"]
    reasons = result.rejected.select(["index", "reason"]).to_pylist()
    assert [row["index"] for row in reasons] == [1]
    assert [row["reason"] for row in reasons] == [reason]


def test_other_event_types_and_records_without_a_value_are_dropped_by_name() -> None:
    result = run([event("A"), event("B", event_type="arrival"), None])
    dropped = result.dropped.select(["index", "event", "reason"]).to_pylist()
    assert [row["reason"] for row in dropped] == ["another event type", "no value"]
    assert json.loads(dropped[0]["event"])["event_type"] == "arrival"
    assert dropped[1]["event"] == "null"


def test_a_reject_keeps_the_line_it_came_from() -> None:
    line = '{"event_type":"departure" , "flight":"Ä"}'
    assert run([line]).rejected.to_pylist() == [
        {
            "index": 0,
            "event": line,
            "reason": "invalid",
            "stage": "decode",
            "error": "Object missing required field `scheduled`",
            **dict.fromkeys(("code_file", "code_line", "code_text", "code_trace")),
        }
    ]


def test_no_events_are_no_rows_of_the_same_columns() -> None:
    assert run([]).rows.schema == run([event()]).rows.schema
    assert run(TABLE.slice(0, 0)).total.read == 0


def test_a_table_in_pieces_of_any_size_is_one_table() -> None:
    pieces = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1, 1), TABLE])
    result = run(pieces)
    assert result.parents.to_pylist() == [0, 2]
    assert result.dropped.column("index").to_pylist() == [1, 3]


def test_naive_times_need_a_time_zone() -> None:
    naive = TABLE.set_column(1, "scheduled", pa.array([datetime(2024, 3, 10, 2, 30)] * 2))  # noqa: DTZ001
    with pytest.raises(InputError, match="timestamps without a time zone") as refused:
        run(naive)
    assert "column scheduled" in str(refused.value)
    assert "trivium.run(…, timezone=" in str(refused.value)
    rejected = run(naive, timezone="America/New_York").rejected
    assert rejected.column("index").to_pylist() == [0, 1]
    assert run(naive, timezone="UTC").rows.num_rows == 1


def test_all_column_problems_are_said_at_once() -> None:
    frame = pd.DataFrame({"flight": [1], "scheduled": ["x"], "delay": [1.5]})
    with pytest.raises(InputError) as refused:
        run(frame)
    text = str(refused.value)
    assert all(f"column {name} " in text for name in ("flight", "scheduled", "delay"))
    assert 'astype("Int64")' in text


def test_options_are_read_as_in_a_pipeline_file() -> None:
    assert run([event()], options={"late_after": 30}).rows.column("late").to_pylist() == [False]
    given = DepartureExecutor.Options(late_after=30)
    assert run([event()], options=given).rows.column("late").to_pylist() == [False]
    with pytest.raises(InputError, match="options of DepartureExecutor"):
        run([event()], options={"late_after": "30"})


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (event(), "a list of dicts"),
        (Path("x.parquet"), "read_table"),
        ("x.parquet", "read_bytes"),
        ([1], "got a int among the events"),
        (7, "got int"),
        ([event(undeclared=object())], "JSON has no word for a object"),
        (pl.LazyFrame({"flight": ["A"]}), "collect"),
        (pa.table([["A"], ["B"]], names=["flight", "flight"]), "more than once"),
        (pd.DataFrame({"flight": ["A", 1]}), "give every column one type"),
    ],
)
def test_what_cannot_be_used_is_said_with_what_to_do(data: Any, advice: str) -> None:
    with pytest.raises(InputError, match=advice):
        run(data)


def test_a_time_zone_is_for_tables_and_must_exist() -> None:
    with pytest.raises(InputError, match="leave timezone out"):
        run([event(scheduled=MOMENT)], timezone="UTC")
    with pytest.raises(InputError, match="IANA"):
        run(TABLE, timezone="Mars/Base")


def test_something_else_than_an_executor_is_refused() -> None:
    with pytest.raises(InputError, match="MyExecutor"):
        trivium.run(DepartureExecutor(), [])  # type: ignore[arg-type]


def test_its_error_survives_pickling() -> None:
    assert str(pickle.loads(pickle.dumps(InputError("what to do")))) == "what to do"
