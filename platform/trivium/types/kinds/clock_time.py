"""Times of day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import inspect as ms

from trivium.types.column_types import is_text
from trivium.types.kinds.text import valid_text
from trivium.types.limits import limited
from trivium.types.spec import Conformed, Kind, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# As isoformat writes it: a fraction has six digits, and there is none where it would be zero.
_CANONICAL: Final = r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{6})?$"
_NO_FRACTION: Final = ".000000"
_LONG_FRACTION: Final = r"\.\d{7}"
_FINER: Final = "a time has digits below a microsecond"


class ClockTime(Kind):
    """`datetime.time` without a zone, as string: its text in ISO 8601, whose order is that of the times."""

    info = (ms.TimeType,)
    exact = (time,)
    fractional = True

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(pa.string(), self)

    def annotation(self, spec: TypeSpec) -> Any:
        return limited(time, {"tz": False})

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return None if pt.is_time(arrow) or is_text(arrow) else f"expected a time of day or its text, got {arrow}"

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        return _of_times(column) if pt.is_time(column.type) else _of_texts(column)

    def writer(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return _text

    def value_reader(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return time.fromisoformat

    def fits(self, column: pa.Array) -> bool:
        return True

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        odd = [time(0), time(12, 0, 0, 1), time(23, 59, 59, 999_999), time(9, 30, 0, 500_000)]
        return (st.sampled_from(odd) | st.times()).map(time.isoformat)


def _text(value: time) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    message = "a time of day has no time zone"
    raise ValueError(message)


def _of_texts(column: pa.Array) -> Conformed:
    out = valid_text(column)
    plain = pc.and_(pc.match_substring_regex(out.column, _CANONICAL), pc.invert(pc.ends_with(out.column, _NO_FRACTION)))
    if pc.all(plain).as_py() is not False:
        return out
    out.refuse(pc.match_substring_regex(out.column, _LONG_FRACTION), _FINER)
    texts = [None if text is None else _canonical(text) for text in out.column.to_pylist()]
    out.column = pa.array(texts, pa.string())
    out.refuse(np.array([text == "" for text in texts], np.bool_), "expected a time of day without a zone")
    return out


def _of_times(column: pa.Array) -> Conformed:
    out = Conformed(column)
    if column.type.unit == "ns":
        whole = column.cast(pa.time64("us"), safe=False)
        out.column = whole
        out.refuse(pc.not_equal(whole.cast(pa.time64("ns")), column), _FINER)
    ticks = out.column.cast(pa.time64("us")).cast(pa.int64())
    outside = pc.or_(pc.less(ticks, 0), pc.greater_equal(ticks, 86_400_000_000))
    out.column = pc.if_else(outside, pa.scalar(None, pa.int64()), ticks).cast(pa.time64("us"))
    texts = [None if value is None else value.isoformat() for value in out.column.to_pylist()]
    out.column = pa.array(texts, pa.string())
    out.refuse(outside, "the time of day lies outside of a day")
    return out


def _canonical(text: str) -> str:
    """Return a time as the JSON decoder reads it, as isoformat writes it; nothing where it is none."""
    try:
        return msgspec.convert(text, limited(time, {"tz": False})).isoformat()  # type: ignore[no-any-return]
    except msgspec.ValidationError:
        return ""
