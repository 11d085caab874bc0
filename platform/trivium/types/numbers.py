"""Columns of numbers as values, Python's narrower annotations of numbers, and how values become narrower."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa

from trivium.core.errors import ContractError

MOST_DIGITS: Final = 38

Int8 = Annotated[int, msgspec.Meta(extra={"arrow": pa.int8()})]
Int16 = Annotated[int, msgspec.Meta(extra={"arrow": pa.int16()})]
Int32 = Annotated[int, msgspec.Meta(extra={"arrow": pa.int32()})]
Float32 = Annotated[float, msgspec.Meta(extra={"arrow": pa.float32()})]


def Precision(digits: int, scale: int) -> msgspec.Meta:
    """Annotate a Decimal with its digits, in all and after the point: `Annotated[Decimal, Precision(10, 2)]`.

    Raises:
        ContractError: not 1 to 38 digits in all, or not 0 to all of them after the point.
    """  # noqa: D402
    whole = type(digits) is int and type(scale) is int
    if not (whole and 1 <= digits <= MOST_DIGITS and 0 <= scale <= digits):
        message = (
            f"Precision({digits!r}, {scale!r}): expected 1 to {MOST_DIGITS} digits, of which 0 to all are decimals"
        )
        raise ContractError(message, hint="Precision(18, 4)")
    return msgspec.Meta(extra={"arrow": pa.decimal128(digits, scale)})


def numbers(column: pa.Array) -> list[Any]:
    """Return a column's values; through NumPy, four times faster than `to_pylist`, where there is no null."""
    if column.null_count:
        return column.to_pylist()  # type: ignore[no-any-return]
    return column.to_numpy().tolist()  # type: ignore[no-any-return]


def to_float32(value: float) -> float:
    """Return the nearest float32.

    Raises:
        ValueError: the value is finite but float32 has no finite neighbour for it.
    """
    rounded = ctypes.c_float(value).value
    if math.isinf(rounded):
        message = f"{value!r} is out of range for Float32"
        raise ValueError(message)
    return rounded


def exact_decimal(arrow: pa.Decimal128Type) -> Callable[[Decimal | int], Decimal]:
    """Return how a decimal becomes the same number at the declared scale, zero without a sign.

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
