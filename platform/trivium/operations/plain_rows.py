"""Rows of a table as plain JSON data, whatever they hold: no value of a legal table makes it stop.

Python's own types end before Arrow's do: times beyond the years 1 to 9999 and text that is no UTF-8 are written as text
all the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from trivium.samples.values import plain


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows as plain data: times RFC 3339 in UTC, bytes base64, decimals text, maps as pairs."""
    columns = {name: plain_column(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def plain_column(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of one column as plain data, in the same forms."""
    if pt.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return [plain(value, column.type) for value in column.to_pylist()]
    except (ValueError, OverflowError):  # a value of Arrow that Python has no object for; UnicodeDecodeError is one
        return [_plain_scalar(column[row]) for row in range(len(column))]


def _plain_scalar(scalar: pa.Scalar) -> Any:
    if not scalar.is_valid:
        return None
    kind = scalar.type
    if pt.is_map(kind):
        return [[_plain_scalar(pair[name]) for name in pair] for pair in scalar.values]
    if pt.is_struct(kind):
        return {name: _plain_scalar(scalar[name]) for name in scalar}
    if isinstance(scalar, pa.ListScalar | pa.LargeListScalar | pa.FixedSizeListScalar):
        return [_plain_scalar(scalar.values[at]) for at in range(len(scalar.values))]
    try:
        return plain(scalar.as_py(), kind)
    except (ValueError, OverflowError):
        return _text(scalar)


def _text(scalar: pa.Scalar) -> str:
    kind = scalar.type
    if pt.is_timestamp(kind):
        return f"{np.datetime64(scalar.value, kind.unit)}{'Z' if kind.tz else ''}"
    if pt.is_date(kind):
        return str(np.datetime64(scalar.cast(pa.date32()).value, "D"))
    if pt.is_string(kind) or pt.is_large_string(kind):
        return bytes(scalar.as_buffer()).decode("utf-8", "backslashreplace")
    return str(scalar)
