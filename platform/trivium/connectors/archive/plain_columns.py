"""Columns without encodings of their own: dictionaries expanded, JSON as the text it is."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.types as pt


def plain_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with dictionaries expanded and without metadata."""
    columns = [_plain_column(each) for each in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _plain_column(column: pa.Array) -> pa.Array:
    if pt.is_dictionary(column.type):
        return column.dictionary_decode()
    if isinstance(column.type, pa.JsonType):
        return column.storage
    plain = plain_type(column.type)
    return column if plain == column.type else column.cast(plain)


def plain_type(arrow: pa.DataType) -> pa.DataType:
    """Return the type with all dictionaries in it replaced by their values' types, and JSON by text."""
    if isinstance(arrow, pa.JsonType):
        return arrow.storage_type
    if pt.is_dictionary(arrow):
        return plain_type(arrow.value_type)
    if pt.is_struct(arrow):
        return pa.struct([field.with_type(plain_type(field.type)) for field in arrow])
    for matches, build in _LISTS:
        if matches(arrow):
            return build(arrow.value_field.with_type(plain_type(arrow.value_type)))
    return arrow


_LISTS: Final[list[tuple[Any, Any]]] = [(pt.is_list, pa.list_), (pt.is_large_list, pa.large_list)]
