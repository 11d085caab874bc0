"""Which Arrow types a declared type can be read from: one start-up problem a column, never a million rejects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.types as pt

from trivium.types.spec import TypeSpec

UUID: Final = "arrow.uuid"
BOOL8: Final = "arrow.bool8"


def type_problem(arrow: pa.DataType, spec: TypeSpec, timezone: str | None = None) -> str | None:
    """What is wrong with reading a column of type `arrow` as `spec`, or None where its values can be looked at."""
    if pt.is_dictionary(arrow):
        arrow = arrow.value_type
    if isinstance(arrow, pa.BaseExtensionType):
        arrow = unpacked_type(arrow, spec)
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
        if len(arrow.get_all_field_indices(child.wire)) > 1:
            return f"field {child.wire} is there more than once"
        if at < 0 and child.required:
            return f"field {child.wire} is missing"
        if at >= 0 and (problem := type_problem(arrow.field(at).type, child.type, timezone)):
            return f"{child.wire}: {problem}"
    return None


def unpacked_type(arrow: pa.BaseExtensionType, spec: TypeSpec) -> pa.DataType:
    """Return the plain type in which values of an extension type are read as `spec`; `arrow` itself for none."""
    name = arrow.extension_name
    if name == UUID:
        return pa.string() if pt.is_string(spec.arrow) else arrow.storage_type if pt.is_binary(spec.arrow) else arrow
    return pa.bool_() if name == BOOL8 else arrow.storage_type


def _is_list(arrow: pa.DataType) -> bool:
    kinds = (pt.is_list, pt.is_large_list, pt.is_fixed_size_list, pt.is_list_view, pt.is_large_list_view)
    return any(matches(arrow) for matches in kinds)


def is_text(arrow: pa.DataType) -> bool:
    """Tell text of any layout."""
    return any(matches(arrow) for matches in (pt.is_string, pt.is_large_string, pt.is_string_view))


def is_bytes(arrow: pa.DataType) -> bool:
    """Tell bytes of any layout."""
    kinds = (pt.is_binary, pt.is_large_binary, pt.is_fixed_size_binary, pt.is_binary_view)
    return any(matches(arrow) for matches in kinds)


_Accepts = Callable[[pa.DataType], bool]
_ACCEPTED: Final[list[tuple[_Accepts, _Accepts]]] = [
    (pt.is_boolean, pt.is_boolean),
    (pt.is_integer, pt.is_integer),
    (pt.is_floating, lambda arrow: pt.is_floating(arrow) or pt.is_integer(arrow)),
    (pt.is_string, is_text),
    (pt.is_binary, is_bytes),
    (pt.is_timestamp, pt.is_timestamp),
    (pt.is_date, pt.is_date),
    (pt.is_decimal, lambda arrow: pt.is_decimal(arrow) or pt.is_integer(arrow)),
    (_is_list, _is_list),
    (pt.is_struct, pt.is_struct),
]
