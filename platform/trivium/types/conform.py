"""Typed columns held to the declared types, with answers proven equal to those of the JSON decoder."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from trivium.types.column_types import UUID, unpacked_type
from trivium.types.convert import array_of, writer
from trivium.types.scalar_values import Conformed, check_lengths, conform_scalar, flawed, mask_of
from trivium.types.spec import FieldSpec, TypeSpec
from trivium.types.uuids import uuid_texts


def conform(column: pa.Array, spec: FieldSpec, timezone: str | None = None) -> Conformed:
    """Cast a column whose type passed `column_types.type_problem` and find the rows that do not fit."""
    if pt.is_dictionary(column.type):
        column = column.dictionary_decode()
    if isinstance(column, pa.ExtensionArray):
        column = _unpacked(column, spec.type)
    out = _conform(column, spec.type, timezone)
    if spec.nullable or not column.null_count:
        return out
    missing = mask_of(pc.is_null(column))
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
    write = writer(spec.type)
    return array_of([spec.default if write is None else write(spec.default)], spec.type.arrow)[0]


def _conform(column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
    if pt.is_null(column.type):
        return Conformed(pa.nulls(len(column), spec.arrow))
    if spec.item is not None:
        return _list(column, spec, timezone)
    if spec.fields:
        return _struct(column, spec, timezone)
    return conform_scalar(column, spec, timezone)


# Views must not be cast: pyarrow 26 makes lists of them that are not whole.
_AS_THEY_ARE: Final = (pt.is_large_list, pt.is_list_view, pt.is_large_list_view)


def _list(column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
    assert spec.item is not None
    if not any(matches(column.type) for matches in _AS_THEY_ARE):
        column = column.cast(pa.large_list(column.type.value_type))
    item = FieldSpec("item", "item", spec.item, spec.item_nullable, required=True)
    inner = conform(column.flatten(), item, timezone)
    lengths = pc.list_value_length(column)
    offsets = np.concatenate([[0], np.cumsum(pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False))])
    mask = pa.array(mask_of(pc.is_null(column)))
    out = Conformed(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner.column, type=spec.arrow, mask=mask))
    parents = pc.list_parent_indices(column).to_numpy()
    for bad, reason in inner.flaws:
        flawed(out, np.isin(np.arange(len(column)), parents[bad]), f"an item: {reason}")
    check_lengths(out, lengths, spec.limits)
    return out


def _struct(column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
    present = ~mask_of(pc.is_null(column))
    children, flaws = [], []
    for child in spec.fields:
        at = column.type.get_field_index(child.wire)
        values = pc.struct_field(column, [at]) if at >= 0 else pa.nulls(len(column), child.type.arrow)
        inner = conform(values, child, timezone)
        children.append(inner.column)
        flaws += [(mask & present, f"{child.name}: {reason}") for mask, reason in inner.flaws]
    rebuilt = pa.StructArray.from_arrays(children, fields=list(spec.arrow), mask=pa.array(~present))
    out = Conformed(rebuilt)
    for bad, reason in flaws:
        flawed(out, bad, reason)
    return out
