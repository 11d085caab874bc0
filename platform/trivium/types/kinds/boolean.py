"""Booleans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt
from msgspec import inspect as ms

from trivium.types.column_types import unless
from trivium.types.spec import Conformed, Kind, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class Boolean(Kind):
    """`bool`, as bool."""

    info = (ms.BoolType,)
    exact = (bool,)
    plain = True

    def owns(self, arrow: pa.DataType) -> bool:
        return bool(pt.is_boolean(arrow))

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(pa.bool_(), self)

    def annotation(self, spec: TypeSpec) -> Any:
        return bool

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return unless(pt.is_boolean(arrow), arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        return Conformed(column)

    def fits(self, column: pa.Array) -> bool:
        return True

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        return st.booleans()
