"""Floating-point numbers, finite ones only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import inspect as ms

from trivium.types.column_types import unless
from trivium.types.limits import NUMBERS, check_by_value, check_numbers, limited, limits_of
from trivium.types.numbers import numbers, to_float32
from trivium.types.spec import Conformed, Kind, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_ODD: Final = (0.0, -0.0, 1.5, -1.5, 0.1, 1e-300, 1e15, 16777217.0)


class Floating(Kind):
    """`float` and `Float32`, as float64 and float32."""

    info = (ms.FloatType,)
    exact = (float, int)
    lookalikes = (bool,)
    plain = True

    def owns(self, arrow: pa.DataType) -> bool:
        return bool(pt.is_floating(arrow))

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(extra.get("arrow", pa.float64()), self, limits_of(info, NUMBERS))

    def annotation(self, spec: TypeSpec) -> Any:
        return limited(float, spec.limits)

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return unless(pt.is_floating(arrow) or pt.is_integer(arrow), arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        column = column.cast(pa.float64(), safe=False)
        out = Conformed(column)
        out.refuse(pc.invert(pc.is_finite(column)), "expected a finite number")
        check_numbers(out, column, spec.limits)
        check_by_value(out, spec, "multiple_of")
        if pt.is_float32(spec.arrow):
            rounded = out.column.cast(pa.float32(), safe=False)
            out.refuse(pc.invert(pc.is_finite(rounded)), "out of range for Float32")
            out.column = out.column.cast(pa.float32(), safe=False)
        return out

    def column_reader(self, spec: TypeSpec) -> Callable[[pa.Array], list[Any]]:
        return numbers

    def fix(self, spec: TypeSpec, nullable: bool) -> Callable[[Any], Any] | None:
        return to_float32 if pt.is_float32(spec.arrow) else None

    def wide(self, spec: TypeSpec) -> pa.DataType:
        return pa.float64()

    def fits(self, column: pa.Array) -> bool:
        return not column.null_count and bool(np.isfinite(column.to_numpy()).all())

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        far = float(np.finfo(np.float32).max) if pt.is_float32(spec.arrow) else 1.7e308
        limits = spec.limits
        least, most = limits.get("ge", limits.get("gt", -far)), limits.get("le", limits.get("lt", far))
        step = limits.get("multiple_of")
        if step is not None:
            return st.integers(int(max(least, -1e6) // step) + 1, int(min(most, 1e6) // step)).map(lambda n: n * step)
        inside = [each for each in _ODD if least <= each <= most]
        made = st.floats(least, most, allow_nan=False, allow_infinity=False)
        made = st.sampled_from(inside) | made if inside else made
        return made.filter(lambda each: "gt" not in limits or each > least).filter(
            lambda each: "lt" not in limits or each < most
        )
