"""Values of rows as samples write them: one form for what is the same, different forms for what is not."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from trivium.samples.values import differences
from trivium.types.plain import plain

MOMENT = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
TIME = pa.timestamp("us", tz="UTC")
STRUCT = pa.struct([("at", TIME), ("small", pa.list_(pa.float32()))])


@pytest.mark.parametrize(
    ("arrow", "value", "written"),
    [
        (TIME, MOMENT, "2026-01-01T09:30:00Z"),
        (TIME, MOMENT.replace(microsecond=120), "2026-01-01T09:30:00.000120Z"),
        (pa.date32(), date(2026, 1, 1), "2026-01-01"),
        (pa.binary(), b"\xff\x00", "/wA="),
        (pa.decimal128(10, 2), Decimal("1.10"), "1.10"),
        (pa.float32(), float(np.float32(0.1)), 0.1),
        (pa.float64(), float("nan"), "nan"),
        (pa.float64(), float("-inf"), "-inf"),
        (
            STRUCT,
            {"at": MOMENT, "small": [float(np.float32(0.3)), None]},
            {"at": "2026-01-01T09:30:00Z", "small": [0.3, None]},
        ),
        (pa.string(), None, None),
    ],
)
def test_values_of_a_table_as_written(arrow: pa.DataType, value: Any, written: Any) -> None:
    assert plain(value, arrow) == written
    assert plain(written, arrow) == written


@pytest.mark.parametrize(
    ("arrow", "one", "other"),
    [
        (TIME, "2026-01-01T10:30:00+01:00", "2026-01-01T09:30:00Z"),
        (pa.decimal128(10, 2), 1.1, "1.10"),
        (pa.float64(), 3, 3.0),
        (pa.float32(), 0.10000000149011612, 0.1),
    ],
)
def test_two_ways_to_write_one_value(arrow: pa.DataType, one: Any, other: Any) -> None:
    assert plain(one, arrow) == plain(other, arrow)


@pytest.mark.parametrize(
    ("arrow", "value"), [(TIME, "soon"), (TIME, "2026-01-01T09:30:00"), (pa.decimal128(4, 1), "x"), (pa.float64(), "1")]
)
def test_what_is_no_such_value_stays(arrow: pa.DataType, value: Any) -> None:
    assert plain(value, arrow) == value


def test_differences_are_found_at_their_place() -> None:
    expected = {"a": [1, {"b": True}], "gone": 1, "same": None}
    got = {"a": [1, {"b": 1}], "same": None, "new": 2}
    assert list(differences(expected, got, "row")) == [
        ("row.a[1].b", True, 1),
        ("row.new", None, 2),
        ("row.gone", 1, None),
    ]
    assert list(differences([1], [1, 2], "row")) == [("row", [1], [1, 2])]
