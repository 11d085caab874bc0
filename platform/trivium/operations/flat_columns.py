"""Columns as CSV can hold them: one text, number or time a cell."""

from __future__ import annotations

import json
from typing import Final

import pyarrow as pa
import pyarrow.types as pt

from trivium.types.plain import plain_column

_FORMULA: Final = "=+-@\t\r"


def flattened(rows: pa.Table) -> pa.Table:
    """Return the rows with lists, maps and structs as JSON text, and bytes as base64."""
    columns = [_flat(column) for column in rows.columns]
    return pa.table(dict(zip(rows.column_names, columns, strict=True)))


def defused(rows: pa.Table) -> pa.Table:
    """Return the rows with an apostrophe before each text that a spreadsheet would run as a formula."""
    columns = [_without_formulas(column) for column in rows.columns]
    return pa.table(dict(zip(rows.column_names, columns, strict=True)))


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pt.is_nested(column.type):
        values = plain_column(column)
        return pa.chunked_array([_texts(None if each is None else _json(each) for each in values)])
    if pt.is_binary(column.type) or pt.is_large_binary(column.type) or pt.is_fixed_size_binary(column.type):
        return pa.chunked_array([_texts(plain_column(column))])
    return column


def _texts(values: object) -> pa.Array:
    return pa.array(values, pa.string())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _without_formulas(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pt.is_string(column.type):
        return column
    return pa.chunked_array([_texts(_harmless(each) for each in plain_column(column))])


def _harmless(text: str | None) -> str | None:
    return f"'{text}" if text and text[0] in _FORMULA else text
