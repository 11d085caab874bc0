"""Values of rows as plain JSON data, in one form, so that what a sample says and what came compare exactly.

Times are RFC 3339 in UTC, bytes base64, decimals text with all their digits, float32 the shortest number that means it.
No value of a legal table stops it: times beyond the years 1 to 9999 and text that is no UTF-8, for which Python has no
object, are written as text all the same.
"""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

_DIGITS: Final = Context(prec=76)  # of Arrow's widest decimal; Python's default is 28


def plain(value: Any, arrow: pa.DataType) -> Any:
    """Return a value of this Arrow type, from a table or a sample, as plain data; what does not fit stays as it is."""
    if value is None:
        return None
    if _is_list(arrow) and isinstance(value, list | tuple):
        return [plain(each, arrow.value_type) for each in value]
    if pt.is_map(arrow) and isinstance(value, list | tuple | dict):
        return _map(list(value.items() if isinstance(value, dict) else value), arrow)
    if pt.is_struct(arrow) and isinstance(value, dict):
        return {
            name: plain(each, arrow.field(name).type) if arrow.get_field_index(name) >= 0 else each
            for name, each in value.items()
        }
    try:
        return _scalar(value, arrow)
    except (ValueError, InvalidOperation, OverflowError):
        return value


def _map(pairs: list[Any], arrow: pa.MapType) -> Any:
    """Return a map as a JSON object where its keys are texts that stand once each, else as pairs."""
    plained = [[plain(key, arrow.key_type), plain(each, arrow.item_type)] for key, each in pairs]
    texts = {key for key, _ in pairs if isinstance(key, str)}
    return dict(plained) if len(texts) == len(pairs) else plained


def _scalar(value: Any, arrow: pa.DataType) -> Any:
    if pt.is_timestamp(arrow):
        return _time(value)
    if isinstance(value, date | time | timedelta):
        return str(value) if isinstance(value, timedelta) else value.isoformat()
    if pt.is_decimal(arrow) and not isinstance(value, bool):
        return f"{Decimal(str(value)).quantize(Decimal(1).scaleb(-arrow.scale), context=_DIGITS):f}"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if pt.is_floating(arrow) and isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, arrow)
    return value


def _is_list(arrow: pa.DataType) -> bool:
    return bool(pt.is_list(arrow) or pt.is_large_list(arrow) or pt.is_fixed_size_list(arrow))


def _time(value: Any) -> Any:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        return value
    if moment.tzinfo is None:
        return value if isinstance(value, str) else moment.isoformat()
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(value: float, arrow: pa.DataType) -> Any:
    number = float(str(np.float32(value))) if pt.is_float32(arrow) else float(value)
    return number if np.isfinite(number) else str(number)


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows as plain data: times RFC 3339 in UTC, bytes base64, decimals text, maps as objects."""
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
