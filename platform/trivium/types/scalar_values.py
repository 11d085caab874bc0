"""Values of typed scalar columns held to the declared types, by kernels; value by value where there is no kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from trivium.types.decoder_types import annotation, integer_limits
from trivium.types.normalise import exact_decimal
from trivium.types.spec import UTC_MICROSECONDS, FieldSpec, TypeSpec
from trivium.types.times import localise, microseconds

Mask = npt.NDArray[np.bool_]


@dataclass
class Conformed:
    """A column in the declared type, and the rows (masks over the input) whose value does not fit, with the reason.

    A row that does not fit is null in `column`.
    """

    column: pa.Array
    flaws: list[tuple[Mask, str]] = field(default_factory=list)


def flawed(out: Conformed, bad: Any, reason: str) -> None:
    """Mark rows (a mask) as not fitting."""
    mask = mask_of(bad)
    if mask.any():
        out.flaws.append((mask, reason))
        out.column = pc.if_else(pa.array(mask), pa.scalar(None, out.column.type), out.column)


def mask_of(values: Any) -> Mask:
    """A column of booleans as a mask; null is false."""
    if isinstance(values, np.ndarray):
        return values
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


_COMPARE: Final[list[tuple[str, Callable[[Any, Any], Any], str]]] = [
    ("ge", pc.less, ">="),
    ("gt", pc.less_equal, ">"),
    ("le", pc.greater, "<="),
    ("lt", pc.greater_equal, "<"),
]


def _limits(out: Conformed, column: pa.Array, limits: dict[str, Any]) -> None:
    for name, outside, sign in _COMPARE:
        if name in limits:
            flawed(out, outside(column, pa.scalar(limits[name])), f"expected a value {sign} {limits[name]}")


def _by_value(out: Conformed, spec: TypeSpec, *names: str) -> None:
    """Rules without an Arrow twin, decided value by value by msgspec itself."""
    rules = {name: spec.limits[name] for name in names if name in spec.limits}
    if not rules:
        return
    plain = TypeSpec(spec.arrow, rules)
    wanted = annotation(FieldSpec("", "", plain, nullable=True, required=False))
    bad = np.array([not _converts(value, wanted) for value in out.column.to_pylist()], np.bool_)
    flawed(out, bad, f"expected a value that fits {rules}")


def _converts(value: Any, wanted: Any) -> bool:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        return False
    return True


def _boolean(column: pa.Array, _spec: TypeSpec, _timezone: str | None) -> Conformed:
    return Conformed(column)


def _integer(column: pa.Array, spec: TypeSpec, _timezone: str | None) -> Conformed:
    limits = integer_limits(spec)
    out = Conformed(column)
    held = pc.min_max(column).as_py()
    if held["min"] is not None and (held["min"] < limits["ge"] or held["max"] > limits["le"]):
        wide = column.cast(pa.decimal128(20, 0)) if pt.is_uint64(column.type) else column.cast(pa.int64())
        outside = pc.or_(pc.less(wide, _like(limits["ge"], wide)), pc.greater(wide, _like(limits["le"], wide)))
        flawed(out, outside, f"expected an int from {limits['ge']} to {limits['le']}")
    out.column = out.column.cast(spec.arrow)
    _by_value(out, spec, "multiple_of")
    _one_of(out, spec)
    return out


def _like(value: int, column: pa.Array) -> pa.Scalar:
    return pa.scalar(value, pa.int64()).cast(column.type)


def _floating(column: pa.Array, spec: TypeSpec, _timezone: str | None) -> Conformed:
    column = column.cast(pa.float64(), safe=False)
    out = Conformed(column)
    flawed(out, pc.invert(pc.is_finite(column)), "expected a finite number")
    _limits(out, column, spec.limits)
    _by_value(out, spec, "multiple_of")
    if pt.is_float32(spec.arrow):
        rounded = out.column.cast(pa.float32(), safe=False)
        flawed(out, pc.invert(pc.is_finite(rounded)), "out of range for Float32")
        out.column = out.column.cast(pa.float32(), safe=False)
    return out


def _text(column: pa.Array, spec: TypeSpec, _timezone: str | None) -> Conformed:
    out = Conformed(column)
    if not _is_valid_text(column):
        bad = np.array([not is_utf8(value) for value in column.cast(pa.binary()).to_pylist()], np.bool_)
        clean = pc.if_else(pa.array(bad), pa.scalar(None, pa.binary()), column.cast(pa.binary()))
        out = Conformed(clean.cast(pa.string()), [(bad, "invalid UTF-8")])
    out.column = out.column.cast(pa.string())
    check_lengths(out, pc.utf8_length(out.column) if spec.limits else None, spec.limits)
    _by_value(out, spec, "pattern")
    _one_of(out, spec)
    return out


def _is_valid_text(column: pa.Array) -> bool:
    """Whether all bytes are UTF-8; pure ASCII, the common case, is seen ten times faster than it is validated."""
    data = column.buffers()[-1]
    if pt.is_string(column.type) and data is not None:
        offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
        if not np.any(np.frombuffer(data, np.int8)[offsets[0] : offsets[-1]] < 0):
            return True
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _one_of(out: Conformed, spec: TypeSpec) -> None:
    """Enums and Literals. A null is no flaw of its own."""
    if spec.values:
        known = pc.is_in(out.column, pa.array([*spec.values, None], spec.arrow))
        flawed(out, pc.invert(known), f"expected one of {list(spec.values)}")


def is_utf8(value: Any) -> bool:
    """Whether bytes (or a buffer; None counts as empty) are UTF-8 without surrogates."""
    try:
        str(value or b"", "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def check_lengths(out: Conformed, lengths: pa.Array | None, limits: dict[str, Any]) -> None:
    """Hold lengths to `min_length` and `max_length`."""
    if "min_length" in limits:
        flawed(out, pc.less(lengths, limits["min_length"]), f"expected a length >= {limits['min_length']}")
    if "max_length" in limits:
        flawed(out, pc.greater(lengths, limits["max_length"]), f"expected a length <= {limits['max_length']}")


def _bytes(column: pa.Array, spec: TypeSpec, _timezone: str | None) -> Conformed:
    out = Conformed(column.cast(pa.binary()))
    check_lengths(out, pc.binary_length(out.column) if spec.limits else None, spec.limits)
    return out


def _timestamp(column: pa.Array, _spec: TypeSpec, timezone: str | None) -> Conformed:
    out = Conformed(column)
    if column.type.tz is None:
        out.column, bad = localise(column, timezone or "UTC")
        flawed(out, bad, f"no such time, or two, in {timezone}")
    out.column, finer, outside = microseconds(out.column)
    flawed(out, finer, "a time has digits below a microsecond")
    flawed(out, outside, "the time lies outside the years 1 to 9999 in UTC")
    out.column = out.column.cast(UTC_MICROSECONDS)
    return out


_FIRST_DATE: Final = pa.scalar(date.min, pa.date32())
_LAST_DATE: Final = pa.scalar(date.max, pa.date32())


def _date(column: pa.Array, _spec: TypeSpec, _timezone: str | None) -> Conformed:
    out = Conformed(column.cast(pa.date32(), safe=False))
    outside = pc.or_(pc.less(out.column, _FIRST_DATE), pc.greater(out.column, _LAST_DATE))
    flawed(out, outside, "the date lies outside the years 1 to 9999")
    return out


def _decimal(column: pa.Array, spec: TypeSpec, _timezone: str | None) -> Conformed:
    digits = column.cast(pa.decimal128(20, 0)) if pt.is_integer(column.type) else column
    try:
        return Conformed(digits.cast(spec.arrow))
    except pa.ArrowInvalid:
        fitting = [_fitting(value, exact_decimal(spec.arrow)) for value in digits.to_pylist()]
    out = Conformed(pa.array(fitting, spec.arrow))
    bad = pc.and_(pc.is_null(out.column), pc.is_valid(column))
    flawed(out, bad, f"does not fit Precision({spec.arrow.precision}, {spec.arrow.scale}) exactly")
    return out


def _fitting(value: Any, exact: Callable[[Any], Any]) -> Any:
    try:
        return None if value is None else exact(value)
    except ValueError:
        return None


_Accepts = Callable[[pa.DataType], bool]
_Step = Callable[[pa.Array, TypeSpec, str | None], Conformed]
_STEPS: Final[list[tuple[_Accepts, _Step]]] = [
    (pt.is_boolean, _boolean),
    (pt.is_integer, _integer),
    (pt.is_floating, _floating),
    (pt.is_string, _text),
    (pt.is_binary, _bytes),
    (pt.is_timestamp, _timestamp),
    (pt.is_date, _date),
    (pt.is_decimal, _decimal),
]


def conform_scalar(column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
    """Cast a column of a scalar type and find the rows that do not fit."""
    step = next(step for matches, step in _STEPS if matches(spec.arrow))
    return step(column, spec, timezone)
