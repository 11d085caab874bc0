"""Values an executor may return for each declared type, and the outcome of each."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from tests.support.engine_inputs import MOMENT, Kept, Outcome, Rejected
from trivium import Event, Float32, Int8, Precision, Row

Money = Annotated[Decimal, Precision(5, 2)]

NO = Rejected("invalid_row")

NAIVE = datetime(2024, 1, 1)  # noqa: DTZ001


class Colour(enum.Enum):
    RED = "red"


class Other(enum.Enum):
    BLUE = "blue"


class Place(Row):
    name: str
    seen: datetime | None = None


class Given(Event, tag="given"):
    value: int


# name: (declared type, returned, outcome, a good value of the type and how it is read back)
PLAIN: dict[Any, tuple[Any, Any]] = {
    int: (3, 3),
    Int8: (3, 3),
    float: (0.5, 0.5),
    Float32: (0.5, 0.5),
    str: ("a", "a"),
    bool: (True, True),
    bytes: (b"a", b"a"),
    datetime: (MOMENT, MOMENT),
    date: (date(2024, 1, 1), date(2024, 1, 1)),
    Money: (Decimal("1.5"), Decimal("1.50")),
    Colour: (Colour.RED, "red"),
    Literal["a"]: ("a", "a"),
    tuple[int, ...]: ((1,), [1]),
    tuple[float, ...]: ((0.5,), [0.5]),
    tuple[datetime, ...]: ((MOMENT,), [MOMENT]),
    tuple[Colour, ...]: ((Colour.RED,), ["red"]),
    tuple[Money, ...]: ((Decimal(1),), [Decimal("1.00")]),
    Place: (Place(name="A"), {"name": "A", "seen": None}),
    tuple[Place, ...]: ((), []),
}

CASES: dict[str, tuple[Any, Any, Outcome]] = {
    "float for int": (int, 1.0, NO),
    "bool for int": (int, True, NO),
    "str for int": (int, "1", NO),
    "numpy int": (int, np.int32(7), Kept(7)),
    "numpy bool for int": (int, np.bool_(True), NO),
    "numpy float for int": (int, np.float64(1), NO),
    "int beyond 64 bits": (int, 2**63, NO),
    "int beyond 8 bits": (Int8, 128, NO),
    "int for float": (float, 2, Kept(2.0)),
    "bool for float": (float, True, NO),
    "huge int for float": (float, 10**400, NO),
    "NaN": (float, float("nan"), NO),
    "infinity": (float, float("inf"), NO),
    "numpy NaN": (float, np.float32("nan"), NO),
    "numpy float": (float, np.float32(0.5), Kept(0.5)),
    "Float32 is rounded": (Float32, 0.1, Kept(0.10000000149011612)),
    "Float32 overflow": (Float32, 1e39, NO),
    "bytes for str": (str, b"a", NO),
    "str for bytes": (bytes, "a", NO),
    "numpy str": (str, np.str_("b"), Kept("b")),
    "lone surrogate": (str, "\ud800", NO),
    "int for bool": (bool, 1, NO),
    "numpy bool": (bool, np.bool_(False), Kept(False)),
    "naive time": (datetime, NAIVE, NO),
    "str for time": (datetime, "2024-01-01T00:00:00Z", NO),
    "date for time": (datetime, date(2024, 1, 1), NO),
    "time for date": (date, datetime(2024, 1, 1, tzinfo=UTC), NO),
    "str for date": (date, "2024-01-01", NO),
    "float for decimal": (Money, 1.5, NO),
    "int for decimal": (Money, 2, Kept(Decimal("2.00"))),
    "decimal too fine": (Money, Decimal("1.005"), NO),
    "decimal too large": (Money, Decimal("1000"), NO),
    "decimal NaN": (Money, Decimal("NaN"), NO),
    "decimal that ends pyarrow": (Money, Decimal("1E-9999999"), NO),
    "decimal with an exponent": (Money, Decimal("1E+2"), Kept(Decimal("100.00"))),
    "enum's value": (Colour, "red", Kept("red")),
    "enum's unknown value": (Colour, "blue", NO),
    "another enum": (Colour, Other.BLUE, NO),
    "literal": (Literal["a"], "b", NO),
    "list for tuple": (tuple[int, ...], [1, 2], Kept([1, 2])),
    "set for tuple": (tuple[int, ...], {1}, NO),
    "str for tuple": (tuple[int, ...], "12", NO),
    "int for tuple": (tuple[int, ...], 1, NO),
    "inner float for int": (tuple[int, ...], (1, 2.0), NO),
    "inner bool for int": (tuple[int, ...], (True,), NO),
    "inner None": (tuple[int, ...], (None,), NO),
    "inner numpy": (tuple[int, ...], (np.int8(4),), Kept([4])),
    "inner NaN": (tuple[float, ...], (float("nan"),), NO),
    "inner naive time": (tuple[datetime, ...], (NAIVE,), NO),
    "inner str for enum": (tuple[Colour, ...], (3,), NO),
    "int for a tuple of enums": (tuple[Colour, ...], 3, NO),
    "inner decimal that ends pyarrow": (tuple[Money, ...], (Decimal("1E-9999999"),), NO),
    "dict for row": (Place, {"name": "A"}, NO),
    "str for row": (Place, "A", NO),
    "row with a wrong field": (Place, Place(name=3), NO),  # type: ignore[arg-type]
    "row with a naive time": (Place, Place(name="A", seen=NAIVE), NO),
    "row with None": (Place, Place(name=None), NO),  # type: ignore[arg-type]
    "dict in a tuple of rows": (tuple[Place, ...], ({"name": "A"},), NO),
    "None": (str, None, NO),
    "limit": (Annotated[int, Meta(ge=5)], 4, NO),
    "pattern": (Annotated[str, Meta(pattern="^b")], "a", NO),
}

GOOD = {"limit": (5, 5), "pattern": ("b", "b")}
