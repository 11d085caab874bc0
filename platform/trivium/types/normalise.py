"""What msgspec leaves open after decoding: offsets to UTC, Float32 rounding, decimals that fit exactly.

A normaliser changes a struct in place before any executor sees it and raises ValueError for a value that has no place
in the declared column. Decimals arrive as their JSON text, since a decoder would take more than JSON's grammar.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from msgspec import Raw
from msgspec.structs import force_setattr

from trivium.types.decimal_text import read_decimal
from trivium.types.spec import FieldSpec, TypeSpec

Fix = Callable[[Any], Any]


class Misfit(ValueError):
    """A value without a place in its declared column. `path` says where in the record it is, as the decoder does."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message, path)
        self.message, self.path = message, path

    def __str__(self) -> str:
        return f"{self.message} - at `${self.path}`"

    @classmethod
    def at(cls, step: str, error: ValueError) -> Misfit:
        """Return the error of a value as one of what holds it."""
        if isinstance(error, Misfit):
            return cls(error.message, step + error.path)
        return cls(str(error), step)


class Normaliser:
    """Normalises structs of some fields in place. False in a condition where there is nothing to do."""

    def __init__(self, fields: Sequence[FieldSpec]) -> None:
        self._fixes = [
            (spec.name, f".{spec.wire}", fix) for spec in fields if (fix := _fix(spec.type, spec.nullable)) is not None
        ]
        self._times_only = all(fix is to_utc for _, _, fix in self._fixes)

    def __bool__(self) -> bool:
        return bool(self._fixes)

    def __call__(self, row: Any) -> None:
        """Change one struct.

        Raises:
            ValueError: a value has no place in its declared column.
        """
        for name, step, fix in self._fixes:
            value = getattr(row, name)
            try:
                if value is not None and (fixed := fix(value)) is not value:
                    force_setattr(row, name, fixed)
            except ValueError as error:
                raise Misfit.at(step, error) from error

    def suspects(self, rows: Sequence[Any]) -> Iterable[int]:
        """The structs that may need a change: for times those not in UTC, else all."""
        if not self._times_only:
            return range(len(rows))
        found: set[int] = set()
        for name, _, _ in self._fixes:
            moments = map(attrgetter(name), rows)
            found.update(i for i, at in enumerate(moments) if at is not None and at.tzinfo is not UTC)
        return sorted(found)


def contains_time(spec: TypeSpec) -> bool:
    """Whether a datetime is anywhere in a type."""
    inner = [spec.item] if spec.item else [child.type for child in spec.fields]
    return pt.is_timestamp(spec.arrow) or any(contains_time(each) for each in inner)


def _fix(spec: TypeSpec, nullable: bool) -> Fix | None:
    if pt.is_timestamp(spec.arrow):
        return to_utc
    if pt.is_float32(spec.arrow):
        return to_float32
    if pt.is_decimal(spec.arrow):
        return _fix_decimal(spec.arrow, _nullable_text if nullable else read_decimal)
    if spec.item is not None:
        return _fix_items(spec.item, spec.item_nullable)
    return _fix_struct(spec.fields)


def _fix_items(item: TypeSpec, nullable: bool) -> Fix | None:
    fix = _fix(item, nullable)
    if fix is None:
        return None

    def fix_items(values: Any) -> Any:
        try:
            return tuple(None if value is None else fix(value) for value in values)
        except ValueError as error:
            raise Misfit.at("[...]", error) from error

    return fix_items


def _fix_decimal(arrow: pa.Decimal128Type, read: Callable[[Raw], Decimal | None]) -> Fix:
    exact = exact_decimal(arrow)

    def fix(value: Any) -> Decimal | None:
        number = read(value) if type(value) is Raw else value
        return None if number is None else exact(number)

    return fix


def _nullable_text(raw: Raw) -> Decimal | None:
    return None if bytes(raw) == b"null" else read_decimal(raw)


def _fix_struct(fields: Sequence[FieldSpec]) -> Fix | None:
    inner = Normaliser(fields)
    if not inner:
        return None

    def fix(value: Any) -> Any:
        inner(value)
        return value

    return fix


def to_utc(value: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        ValueError: the moment lies outside the years 1 to 9999 in UTC.
    """
    if value.tzinfo is UTC:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        message = f"the time {value.isoformat()} lies outside the years 1 to 9999 in UTC"
        raise ValueError(message) from error


def to_float32(value: float) -> float:
    """The nearest float32.

    Raises:
        ValueError: the value is finite but float32 has no finite neighbour for it.
    """
    rounded = ctypes.c_float(value).value
    if math.isinf(rounded):
        message = f"{value!r} is out of range for Float32"
        raise ValueError(message)
    return rounded


def exact_decimal(arrow: pa.Decimal128Type) -> Callable[[Decimal | int], Decimal]:
    """How a decimal becomes the same number at the declared scale, zero without a sign.

    The function raises ValueError for a value that is not finite, or does not fit precision and scale exactly. Arrow
    must not be handed anything else: pyarrow 26 ends the process over an exponent such as 1E-9999999.
    """
    context = Context(prec=arrow.precision, traps=[Inexact, InvalidOperation])
    step = Decimal(1).scaleb(-arrow.scale)

    def exact(value: Decimal | int) -> Decimal:
        try:
            exactly = Decimal(value).quantize(step, context=context)
        except (Inexact, InvalidOperation) as error:
            message = f"{value!s:.80} does not fit Precision({arrow.precision}, {arrow.scale}) exactly"
            raise ValueError(message) from error
        if exactly.is_finite():
            return exactly if exactly else exactly.copy_abs()
        message = f"expected a finite decimal, got {value!s:.80}"
        raise ValueError(message)

    return exact
