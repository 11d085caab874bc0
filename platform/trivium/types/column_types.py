"""Arrow types that a declared type can be read from: one start-up problem a column, never a million rejects."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.types as pt

from trivium.types.spec import TypeSpec

UUID: Final = "arrow.uuid"
BOOL8: Final = "arrow.bool8"


def type_problem(arrow: pa.DataType, spec: TypeSpec, timezone: str | None = None) -> str | None:
    """Return the problem of reading a column of type `arrow` as `spec`, None where its values can be looked at."""
    if pt.is_dictionary(arrow):
        arrow = arrow.value_type
    if isinstance(arrow, pa.BaseExtensionType):
        arrow = unpacked_type(arrow, spec)
    if pt.is_null(arrow):
        return None
    return spec.kind.column_problem(arrow, spec, timezone)


def unless(accepted: bool, arrow: pa.DataType, spec: TypeSpec) -> str | None:
    """Return the problem of a column whose type is not one of those that are accepted."""
    return None if accepted else f"expected {spec.arrow}, got {arrow}"


def unpacked_type(arrow: pa.BaseExtensionType, spec: TypeSpec) -> pa.DataType:
    """Return the plain type in which values of an extension type are read as `spec`; `arrow` itself for none."""
    name = arrow.extension_name
    if name == UUID:
        return pa.string() if pt.is_string(spec.arrow) else arrow.storage_type if pt.is_binary(spec.arrow) else arrow
    return pa.bool_() if name == BOOL8 else arrow.storage_type


def is_list(arrow: pa.DataType) -> bool:
    """Tell lists of any layout."""
    kinds = (pt.is_list, pt.is_large_list, pt.is_fixed_size_list, pt.is_list_view, pt.is_large_list_view)
    return any(matches(arrow) for matches in kinds)


def is_text(arrow: pa.DataType) -> bool:
    """Tell text of any layout."""
    return any(matches(arrow) for matches in (pt.is_string, pt.is_large_string, pt.is_string_view))


def is_bytes(arrow: pa.DataType) -> bool:
    """Tell bytes of any layout."""
    kinds = (pt.is_binary, pt.is_large_binary, pt.is_fixed_size_binary, pt.is_binary_view)
    return any(matches(arrow) for matches in kinds)
