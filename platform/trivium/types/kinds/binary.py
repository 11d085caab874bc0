"""Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import inspect as ms

from trivium.types.column_types import is_bytes, unless
from trivium.types.limits import LENGTHS, check_lengths, limited, limits_of
from trivium.types.spec import Conformed, Kind, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class Binary(Kind):
    """`bytes`, as binary; base64 in JSON."""

    info = (ms.BytesType,)
    exact = (bytes,)
    plain = True

    def owns(self, arrow: pa.DataType) -> bool:
        return bool(pt.is_binary(arrow))

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(pa.binary(), self, limits_of(info, LENGTHS))

    def annotation(self, spec: TypeSpec) -> Any:
        return limited(bytes, spec.limits)

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return unless(is_bytes(arrow), arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        out = Conformed(column.cast(pa.binary()))
        check_lengths(out, pc.binary_length(out.column) if spec.limits else None, spec.limits)
        return out

    def fits(self, column: pa.Array) -> bool:
        return True

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        return st.binary(min_size=spec.limits.get("min_length", 0), max_size=spec.limits.get("max_length"))
