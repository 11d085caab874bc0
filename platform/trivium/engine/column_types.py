"""Which Arrow types a declared type can be read from: one start-up problem a column, never a million rejects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.types as pt

from trivium.contract.types import TypeSpec


def type_problem(arrow: pa.DataType, spec: TypeSpec, timezone: str | None = None) -> str | None:
    """What is wrong with reading a column of type `arrow` as `spec`, or None where its values can be looked at."""
    if pt.is_dictionary(arrow):
        arrow = arrow.value_type
    if pt.is_null(arrow):
        return None
    if pt.is_timestamp(arrow) and pt.is_timestamp(spec.arrow) and arrow.tz is None and timezone is None:
        return "timestamps without a time zone; set source.timezone to what they mean"
    if spec.item is not None and _is_list(arrow):
        return type_problem(arrow.value_type, spec.item, timezone)
    if spec.fields and pt.is_struct(arrow):
        return _struct_problem(arrow, spec, timezone)
    accepted = next(accepts for matches, accepts in _ACCEPTED if matches(spec.arrow))
    return None if accepted(arrow) else f"expected {spec.arrow}, got {arrow}"


def _struct_problem(arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
    for child in spec.fields:
        at = arrow.get_field_index(child.wire)
        if at < 0 and child.required:
            return f"field {child.wire} is missing"
        if at >= 0 and (problem := type_problem(arrow.field(at).type, child.type, timezone)):
            return f"{child.wire}: {problem}"
    return None


def _is_list(arrow: pa.DataType) -> bool:
    return any(matches(arrow) for matches in (pt.is_list, pt.is_large_list, pt.is_fixed_size_list))


def _is_text(arrow: pa.DataType) -> bool:
    return any(matches(arrow) for matches in (pt.is_string, pt.is_large_string, pt.is_string_view))


def _is_bytes(arrow: pa.DataType) -> bool:
    return any(matches(arrow) for matches in (pt.is_binary, pt.is_large_binary, pt.is_fixed_size_binary))


_Accepts = Callable[[pa.DataType], bool]
_ACCEPTED: Final[list[tuple[_Accepts, _Accepts]]] = [
    (pt.is_boolean, pt.is_boolean),
    (pt.is_integer, pt.is_integer),
    (pt.is_floating, lambda arrow: pt.is_floating(arrow) or pt.is_integer(arrow)),
    (pt.is_string, _is_text),
    (pt.is_binary, _is_bytes),
    (pt.is_timestamp, pt.is_timestamp),
    (pt.is_date, pt.is_date),
    (pt.is_decimal, lambda arrow: pt.is_decimal(arrow) or pt.is_integer(arrow)),
    (_is_list, _is_list),
    (pt.is_struct, pt.is_struct),
]
