"""Decimals of declared digits."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import Raw
from msgspec import inspect as ms

from trivium.core.errors import ContractError
from trivium.types.column_types import unless
from trivium.types.decimal_text import read_decimal
from trivium.types.numbers import exact_decimal
from trivium.types.spec import Conformed, Kind, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_SCHEMA: Final = {"type": "string", "format": "decimal"}
_DECIMAL: Final = Annotated[Raw, msgspec.Meta(extra_json_schema=_SCHEMA)]
# msgspec takes nothing but null for `Raw | None`; the text of a null is for the normaliser too.
_NULLABLE: Final = Annotated[Raw, msgspec.Meta(extra_json_schema={"anyOf": [_SCHEMA, {"type": "null"}]})]


class FixedPoint(Kind):
    """`Annotated[Decimal, Precision(p, s)]`, as decimal128(p, s); decoded as JSON text, whose grammar is narrower."""

    info = (ms.DecimalType,)
    exact = (Decimal, int)
    lookalikes = (bool,)

    def owns(self, arrow: pa.DataType) -> bool:
        return bool(pt.is_decimal(arrow))

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        if "arrow" not in extra:
            raise ContractError(f"{where}: a Decimal needs its digits", hint="Annotated[Decimal, Precision(18, 4)]")
        return TypeSpec(extra["arrow"], self)

    def annotation(self, spec: TypeSpec) -> Any:
        return _DECIMAL

    def nullable(self, spec: TypeSpec) -> Any:
        return _NULLABLE

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return unless(pt.is_decimal(arrow) or pt.is_integer(arrow), arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        digits = column.cast(pa.decimal128(20, 0)) if pt.is_integer(column.type) else column
        try:
            return Conformed(digits.cast(spec.arrow))
        except pa.ArrowInvalid:
            fitting = [_fitting(value, exact_decimal(spec.arrow)) for value in digits.to_pylist()]
        out = Conformed(pa.array(fitting, spec.arrow))
        bad = pc.and_(pc.is_null(out.column), pc.is_valid(column))
        out.refuse(bad, f"does not fit Precision({spec.arrow.precision}, {spec.arrow.scale}) exactly")
        return out

    def writer(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return exact_decimal(spec.arrow)

    def fix(self, spec: TypeSpec, nullable: bool) -> Callable[[Any], Any] | None:
        exact = exact_decimal(spec.arrow)
        read = _nullable_text if nullable else read_decimal

        def fix(value: Any) -> Decimal | None:
            number = read(value) if type(value) is Raw else value
            return None if number is None else exact(number)

        return fix

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        digits, scale = spec.arrow.precision, spec.arrow.scale
        most = 10**digits - 1
        numbers = st.sampled_from([0, 1, -1, most, -most]) | st.integers(-most, most)
        return numbers.map(lambda number: Decimal(f"{number}E{-scale}"))

    def json_values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        return self.values(spec).map(str)


def _fitting(value: Any, exact: Callable[[Any], Any]) -> Any:
    try:
        return None if value is None else exact(value)
    except ValueError:
        return None


def _nullable_text(raw: Raw) -> Decimal | None:
    return None if bytes(raw) == b"null" else read_decimal(raw)
