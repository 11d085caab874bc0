"""Sub-documents of JSON that nobody declared, kept as their text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from trivium.types.column_types import is_text, unless
from trivium.types.kinds.text import valid_text
from trivium.types.nesting import MAX_NESTING, is_too_deep
from trivium.types.spec import Conformed, Kind, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_RAW: Final = Annotated[Raw, msgspec.Meta(extra_json_schema={"description": "Any JSON value; in a row, its text."})]
_SPACE: Final = b" \t\n\r"
_ODD: Final = (
    "{}", "[]", '""', "0", "-0", "1E+2", "true", "[[[]]]", '{"a":1,"a":[null]}', '"\\u0000\\ud83d\\udee9"',
    '{"ä":"\\"[{"}',
)  # fmt: skip


class JsonText(Kind):
    """`RawJson`, as string: well-formed JSON as it was written, without the space around it."""

    info = ()
    exact = (str,)
    reads_back = False
    noun = "JSON text"

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(pa.string(), self)

    def annotation(self, spec: TypeSpec) -> Any:
        return _RAW

    def nullable(self, spec: TypeSpec) -> Any:
        return _RAW  # msgspec takes nothing but null for `Raw | None`

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return unless(is_text(arrow), arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        out = valid_text(column)
        texts: list[str | None] = []
        flaws: dict[str, list[int]] = {}
        for row, value in enumerate(out.column.cast(pa.binary()).to_pylist()):
            try:
                texts.append(None if value is None else json_text(value))
            except ValueError as error:
                texts.append(None)
                flaws.setdefault(str(error), []).append(row)
        out.column = pa.array(texts, pa.string())
        for reason, rows in flaws.items():
            out.refuse(np.isin(np.arange(len(texts)), rows), reason)
        out.column = pc.if_else(pc.equal(out.column, "null"), pa.scalar(None, pa.string()), out.column)
        return out

    def fix(self, spec: TypeSpec, nullable: bool) -> Callable[[Any], Any] | None:
        def fix(value: Any) -> str | None:
            text = json_text(bytes(value)) if type(value) is Raw else value
            if text != "null":
                return text
            if nullable:
                return None
            message = "a value is required, got null"
            raise ValueError(message)

        return fix

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(codec="utf-8"))
        held = st.lists(leaves, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), leaves, max_size=3)
        return st.sampled_from(_ODD) | held.map(lambda value: msgspec.json.encode(value).decode())

    def json_values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        return self.values(spec).map(lambda text: Raw(text.encode()))


RawJson = Annotated[str, msgspec.Meta(extra={"kind": JsonText()})]
"""A field's JSON value of whatever shape, as its text."""


def json_text(value: bytes) -> str:
    """Return a JSON value as text without the space around it, in time linear in its length.

    Raises:
        ValueError: it is not well-formed, no UTF-8, or nested deeper than MAX_NESTING levels.
    """
    stripped = value.strip(_SPACE)
    if is_too_deep(stripped):
        message = f"more than {MAX_NESTING} levels of nesting"
        raise ValueError(message)
    try:
        msgspec.json.decode(stripped, type=Raw)
        return stripped.decode()
    except UnicodeDecodeError:
        message = "invalid UTF-8"
    except msgspec.DecodeError as error:
        message = f"expected JSON: {error}"
    raise ValueError(message)
