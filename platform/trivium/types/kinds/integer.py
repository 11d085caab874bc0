"""Integers of 8 to 64 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import inspect as ms

from trivium.types.column_types import unless
from trivium.types.limits import NUMBERS, check_by_value, limited, limits_of
from trivium.types.numbers import numbers
from trivium.types.spec import Conformed, Kind, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class Integer(Kind):
    """`int` and its narrower annotations, as int64, int32, int16 and int8."""

    info = (ms.IntType,)
    exact = (int,)
    lookalikes = (bool,)
    plain = True

    def owns(self, arrow: pa.DataType) -> bool:
        return bool(pt.is_integer(arrow))

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(extra.get("arrow", pa.int64()), self, limits_of(info, NUMBERS))

    def annotation(self, spec: TypeSpec) -> Any:
        return limited(int, _limits(spec))

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return unless(pt.is_integer(arrow), arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        limits = _limits(spec)
        out = Conformed(column)
        held = pc.min_max(column).as_py()
        if held["min"] is not None and (held["min"] < limits["ge"] or held["max"] > limits["le"]):
            wide = column.cast(pa.decimal128(20, 0)) if pt.is_uint64(column.type) else column.cast(pa.int64())
            outside = pc.or_(pc.less(wide, _like(limits["ge"], wide)), pc.greater(wide, _like(limits["le"], wide)))
            out.refuse(outside, f"expected an int from {limits['ge']} to {limits['le']}")
        out.column = out.column.cast(spec.arrow)
        check_by_value(out, spec, "multiple_of")
        return out

    def column_reader(self, spec: TypeSpec) -> Callable[[pa.Array], list[Any]]:
        return numbers

    def fits(self, column: pa.Array) -> bool:
        return True

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        limits = _limits(spec)
        least, most, step = limits["ge"], limits["le"], limits.get("multiple_of")
        if step is not None:
            return st.integers(-(-least // step), most // step).map(lambda each: each * step)
        near = st.integers(max(least, -1000), min(most, 1000)) if least <= 1000 and most >= -1000 else st.nothing()
        return st.sampled_from([least, most]) | near | st.integers(least, most)


def _limits(spec: TypeSpec) -> dict[str, Any]:
    """Return the declared limits joined with the width, as `ge` and `le`."""
    low, high = -(2 ** (spec.arrow.bit_width - 1)), 2 ** (spec.arrow.bit_width - 1) - 1
    limits = dict(spec.limits)
    low = max(low, limits.pop("ge", low), limits.pop("gt", low - 1) + 1)
    high = min(high, limits.pop("le", high), limits.pop("lt", high + 1) - 1)
    return {**limits, "ge": low, "le": high}


def _like(value: int, column: pa.Array) -> pa.Scalar:
    return pa.scalar(value, pa.int64()).cast(column.type)
