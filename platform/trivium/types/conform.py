"""Typed columns held to the declared types, with answers proven equal to those of the JSON decoder."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from trivium.types.column_types import UUID, unpacked_type
from trivium.types.convert import array_of, written
from trivium.types.spec import Conformed, FieldSpec, TypeSpec, mask_of
from trivium.types.uuids import uuid_texts


def conform(column: pa.Array, spec: FieldSpec, timezone: str | None = None) -> Conformed:
    """Cast a column whose type passed `column_types.type_problem` and find the rows that do not fit."""
    if pt.is_dictionary(column.type):
        column = column.dictionary_decode()
    if isinstance(column, pa.ExtensionArray):
        column = _unpacked(column, spec.type)
    if pt.is_null(column.type):
        out = Conformed(pa.nulls(len(column), spec.type.arrow))
    else:
        out = spec.type.kind.conform(column, spec.type, timezone)
    if spec.nullable or not out.column.null_count:
        return out
    missing = mask_of(pc.is_null(out.column))
    for bad, _ in out.flaws:
        missing &= ~bad
    if not missing.any():
        return out
    if not spec.required:
        out.column = pc.if_else(pa.array(missing), _default(spec), out.column)
        return out
    out.flaws.append((missing, "a value is required, got null"))
    return out


def _unpacked(column: pa.ExtensionArray, spec: TypeSpec) -> pa.Array:
    """Return an extension column's values in the plain type that `column_types.unpacked_type` names."""
    storage, plain = column.storage, unpacked_type(column.type, spec)
    if plain == storage.type:
        return storage
    return uuid_texts(storage) if column.type.extension_name == UUID else pc.not_equal(storage, 0)


def _default(spec: FieldSpec) -> pa.Scalar:
    return array_of(written([spec.default], spec.type), spec.type.arrow)[0]
