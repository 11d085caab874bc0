"""Whatever a person hands to `trivium.run`: messages speak of that, not of the JSON that was made of it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import trivium
from tests.support.notebook_orders import OrderExecutor
from trivium.notebook.errors import InputError

WHEN = "2026-01-01T00:00:00Z"
ORDER = {"order_id": "1", "placed_at": WHEN, "amount": 5.0}


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("amount", float("nan"), "nan"),
        ("amount", float("-inf"), "-inf"),
        ("amount", np.float32("nan"), "np.float32(nan)"),
        ("amount", pd.NA, "<NA>"),
        ("placed_at", pd.NaT, "NaT"),
        ("order_id", pd.NaT, "NaT"),
        ("placed_at", np.datetime64("NaT"), "NaT"),
    ],
)
def test_a_value_that_stands_for_none_is_named(field: str, value: object, shown: str) -> None:
    (rejected,) = trivium.run(OrderExecutor, [{**ORDER, field: value}]).rejected.to_pylist()
    assert rejected["reason"] == "malformed"
    assert rejected["error"].startswith(f"{field}: got ")
    assert shown in rejected["error"]
    assert "for which JSON has no word. Try: None" in rejected["error"]


def test_the_place_of_a_nested_value_is_named() -> None:
    (rejected,) = trivium.run(OrderExecutor, [{**ORDER, "more": {"list": [1.0, float("nan")]}}]).rejected.to_pylist()
    assert rejected["error"].startswith("more.list[1]: got nan")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("amount", Decimal("12.5"), "given was Decimal('12.5') (Decimal). Try: float(value)"),
        ("amount", np.True_, "given was np.True_ (bool)"),
        ("placed_at", datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None), "(datetime). Try: value.replace(tzinfo="),
        ("placed_at", pd.Timestamp("2026-01-01"), "(Timestamp). Try: value.replace(tzinfo="),
        ("placed_at", np.datetime64("2026-01-01T00:00:00", "ns"), "(datetime64). Try: a datetime with its zone"),
        ("placed_at", date(2026, 1, 1), "(date). Try: a datetime with its zone"),
        ("order_id", np.array([1]), "given was array([1]) (ndarray)"),
    ],
)
def test_a_value_of_another_type_is_shown_as_it_was(field: str, value: object, said: str) -> None:
    (rejected,) = trivium.run(OrderExecutor, [ORDER, {**ORDER, field: value}]).rejected.to_pylist()
    assert rejected["index"] == 1
    assert f"`$.{field}`" in rejected["error"]
    assert said in rejected["error"]


def test_half_of_a_surrogate_pair_is_named() -> None:
    (rejected,) = trivium.run(OrderExecutor, [{**ORDER, "order_id": "\ud800"}]).rejected.to_pylist()
    assert rejected["error"].startswith("order_id: got '\\ud800', half of a surrogate pair")


@pytest.mark.parametrize("value", [np.float64(5), np.int64(5), np.float32(5), 5])
def test_a_value_of_numpy_is_the_number_it_is(value: object) -> None:
    assert trivium.run(OrderExecutor, [{**ORDER, "amount": value}]).rows["amount"].to_pylist() == [5.0]


@pytest.mark.parametrize("value", [datetime(2026, 1, 1, tzinfo=UTC), pd.Timestamp("2026-01-01", tz="UTC")])
def test_a_time_with_its_zone_is_taken(value: object) -> None:
    assert len(trivium.run(OrderExecutor, [{**ORDER, "placed_at": value}])) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pd.Series([1]), "got pandas's Series. Try: a table"),
        (pd.DataFrame([ORDER]).iloc[0], "got pandas's Series. Try: a table"),
        (pl.Series([1]), "got polars's Series. Try: a table"),
        (pa.array([1]), "got pyarrow's Int64Array. Try: a table"),
        (pa.chunked_array([[1]]), "got pyarrow's ChunkedArray. Try: a table"),
        (np.array([1.0]), "got a float64 among the events: np.float64(1.0). Try: dicts"),
        (pl.LazyFrame([ORDER]), "got LazyFrame. Try: data.collect()"),
        (ORDER, "got one dict. Try: a list of dicts"),
        (None, "got None. Try: a list of dicts"),
        (3, "got int. Try: a list of dicts"),
        (Path("x"), "Try: read the file first"),
        (OrderExecutor, "Try: a list of dicts"),
        ([["1"]], "got a list among the events: ['1']. Try: dicts"),
        (pd.DataFrame([[1, 2]], columns=["amount", "amount"]), "Duplicate column names found"),
    ],
)
def test_what_is_no_list_of_events_is_named(data: Any, said: str) -> None:
    with pytest.raises(InputError) as raised:
        trivium.run(OrderExecutor, data)
    assert said in str(raised.value)


@pytest.mark.parametrize("data", [[], (), "", b"", iter(())])
def test_no_events_are_no_rows(data: Any) -> None:
    assert len(trivium.run(OrderExecutor, data)) == 0


def test_a_generator_is_read_once() -> None:
    assert len(trivium.run(OrderExecutor, ({**ORDER, "order_id": str(n)} for n in range(3)))) == 3
