"""Text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import inspect as ms

from trivium.types.column_types import is_text, unless
from trivium.types.limits import LENGTHS, check_by_value, check_lengths, limited, limits_of
from trivium.types.spec import Conformed, Kind, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_ODD: Final = ("", " ", "null", "ä", "e\u0301", "İ", "\u200f", "🛩️", "\x00", '"\\', "a" * 300, "1e5", "\ufeff")


class Text(Kind):
    """`str`, as string."""

    info = (ms.StrType,)
    exact = (str,)
    plain = True

    def owns(self, arrow: pa.DataType) -> bool:
        return bool(pt.is_string(arrow))

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(pa.string(), self, limits_of(info, (*LENGTHS, "pattern")))

    def annotation(self, spec: TypeSpec) -> Any:
        return limited(str, spec.limits)

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return unless(is_text(arrow), arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        out = valid_text(column)
        check_lengths(out, pc.utf8_length(out.column) if spec.limits else None, spec.limits)
        check_by_value(out, spec, "pattern")
        return out

    def fits(self, column: pa.Array) -> bool:
        return True

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        limits = spec.limits
        least, most = limits.get("min_length", 0), limits.get("max_length")
        if "pattern" in limits:
            made: SearchStrategy[str] = st.from_regex(limits["pattern"], alphabet=st.characters(codec="utf-8"))
            return made.filter(lambda text: least <= len(text) and (most is None or len(text) <= most))
        odd = [text for text in _ODD if least <= len(text) and (most is None or len(text) <= most)]
        made = st.text(st.characters(codec="utf-8"), min_size=least, max_size=most)
        return st.sampled_from(odd) | made if odd else made


def valid_text(column: pa.Array) -> Conformed:
    """Return a column of text of any layout as strings, without those that are not UTF-8."""
    out = Conformed(column)
    if not _is_valid_text(column):
        bad = np.array([not is_utf8(value) for value in column.cast(pa.binary()).to_pylist()], np.bool_)
        clean = pc.if_else(pa.array(bad), pa.scalar(None, pa.binary()), column.cast(pa.binary()))
        out = Conformed(clean.cast(pa.string()), [(bad, "invalid UTF-8")])
    out.column = out.column.cast(pa.string())
    return out


def _is_valid_text(column: pa.Array) -> bool:
    """Tell whether all bytes are UTF-8; pure ASCII, the common case, is found ten times faster than it is validated."""
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


def is_utf8(value: Any) -> bool:
    """Tell whether bytes (or a buffer; None counts as empty) are UTF-8 without surrogates."""
    try:
        str(value or b"", "utf-8")
    except UnicodeDecodeError:
        return False
    return True
