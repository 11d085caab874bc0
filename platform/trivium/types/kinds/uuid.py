"""UUIDs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import inspect as ms

from trivium.types.column_types import is_text, unless
from trivium.types.kinds.text import valid_text
from trivium.types.spec import Conformed, Kind, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# What JSON, Delta and every reader of the table have for it: RFC 9562, section 4, in lower case.
_CANONICAL: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class Identifier(Kind):
    """`uuid.UUID`, as string of 36: lower case with hyphens."""

    info = (ms.UUIDType,)
    exact = (UUID,)

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(pa.string(), self)

    def annotation(self, spec: TypeSpec) -> Any:
        return UUID

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return unless(is_text(arrow), arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        out = valid_text(column)
        plain = pc.match_substring_regex(out.column, _CANONICAL)
        if pc.all(plain).as_py() is not False:
            return out
        texts = [None if text is None else _canonical(text) for text in out.column.to_pylist()]
        bad = np.array([text == "" for text in texts], np.bool_)
        out.column = pa.array(texts, pa.string())
        out.refuse(bad, "expected a UUID")
        return out

    def writer(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return str

    def value_reader(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return UUID

    def fits(self, column: pa.Array) -> bool:
        return True

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        return st.uuids(allow_nil=True).map(str)


def _canonical(text: str) -> str:
    """Return a UUID as the JSON decoder reads it, in lower case with hyphens; nothing where it is none."""
    try:
        return str(msgspec.convert(text, UUID))
    except msgspec.ValidationError:
        return ""
