"""Durations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import inspect as ms

from trivium.types.numbers import numbers
from trivium.types.spec import Conformed, Kind, TypeSpec, mask_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_STEP: Final = timedelta(microseconds=1)
_LEAST: Final = timedelta(microseconds=-(2**63))
_MOST: Final = timedelta(microseconds=2**63 - 1)
_PER_UNIT: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}
_TOO_LONG: Final = "the duration does not fit 64 bits of microseconds"


class Span(Kind):
    """`timedelta`, as int64: its microseconds. In JSON it is text in ISO 8601, such as "PT1.5S"."""

    info = (ms.TimeDeltaType,)
    exact = (timedelta,)
    fractional = True

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(pa.int64(), self)

    def annotation(self, spec: TypeSpec) -> Any:
        return timedelta

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        accepted = pt.is_duration(arrow) or pt.is_integer(arrow)
        return None if accepted else f"expected a duration or its microseconds, got {arrow}"

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        if pt.is_duration(column.type):
            return _of_durations(column)
        fitting = column.cast(pa.int64(), safe=False)
        out = Conformed(fitting)
        if pt.is_uint64(column.type):
            out.refuse(pc.less(fitting, 0), _TOO_LONG)
        return out

    def writer(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return _microseconds

    def value_reader(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return _duration

    def column_reader(self, spec: TypeSpec) -> Callable[[pa.Array], list[Any]]:
        return lambda column: [None if ticks is None else _duration(ticks) for ticks in numbers(column)]

    def from_json(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return lambda value: _microseconds(msgspec.convert(value, timedelta)) if isinstance(value, str) else value

    def fix(self, spec: TypeSpec, nullable: bool) -> Callable[[Any], Any] | None:
        return _fitting

    def fits(self, column: pa.Array) -> bool:
        return True

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        odd = [0, 1, -1, 1_500_000, -86_400_000_000, 2**63 - 1, -(2**63)]
        return st.sampled_from(odd) | st.integers(-(10**14), 10**14)

    def json_values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        return self.values(spec).map(_duration)


def _duration(ticks: int) -> timedelta:
    return timedelta(microseconds=ticks)


def _microseconds(value: timedelta) -> int:
    return _fitting(value) // _STEP


def _fitting(value: timedelta) -> timedelta:
    if _LEAST <= value <= _MOST:
        return value
    raise ValueError(_TOO_LONG)


def _of_durations(column: pa.Array) -> Conformed:
    ticks = column.cast(pa.int64())
    if column.type.unit == "ns":
        whole = pc.divide(ticks, 1000)
        out = Conformed(whole)
        out.refuse(pc.not_equal(pc.multiply(whole, 1000), ticks), "a duration has digits below a microsecond")
        return out
    per = _PER_UNIT[column.type.unit]
    most = (2**63 - 1) // per
    outside = pc.or_(pc.less(ticks, -most - (per == 1)), pc.greater(ticks, most))
    fitting = pc.if_else(pa.array(mask_of(outside)), pa.scalar(None, pa.int64()), ticks)
    out = Conformed(pc.multiply(fitting, per))
    out.refuse(outside, _TOO_LONG)
    return out
