"""Values of rows as plain JSON data, in one form, so that what a sample says and what came compare exactly.

Times are RFC 3339 in UTC, bytes base64, decimals text with all their digits, float32 the shortest number that means it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from trivium.core.suggest import one_of

_DIGITS: Final = Context(prec=76)  # of Arrow's widest decimal; Python's default is 28


def plain(value: Any, arrow: pa.DataType) -> Any:
    """A value of this Arrow type, from a table or from a sample, as plain data. What does not fit stays as it is."""
    if value is None:
        return None
    if _is_list(arrow) and isinstance(value, list | tuple):
        return [plain(each, arrow.value_type) for each in value]
    if pt.is_map(arrow) and isinstance(value, list | tuple):
        return [[plain(key, arrow.key_type), plain(each, arrow.item_type)] for key, each in value]
    if pt.is_struct(arrow) and isinstance(value, dict):
        return {
            name: plain(each, arrow.field(name).type) if arrow.get_field_index(name) >= 0 else each
            for name, each in value.items()
        }
    try:
        return _scalar(value, arrow)
    except (ValueError, InvalidOperation, OverflowError):
        return value


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


def differences(expected: Any, got: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two pieces of plain data differ: the path, what was expected and what came."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for name in [*got, *(name for name in expected if name not in got)]:
            yield from differences(expected.get(name), got.get(name), f"{path}.{name}")
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (left, right) in enumerate(zip(expected, got, strict=True)):
            yield from differences(left, right, f"{path}[{index}]")
    elif expected != got or isinstance(expected, bool) is not isinstance(got, bool):
        yield path, expected, got


def unknown_columns(row: Mapping[str, Any], schema: pa.Schema) -> Iterator[str]:
    """What a sample's row names that the executor does not write."""
    for name in row:
        if name not in schema.names:
            yield f"there is no column {name} ({one_of(name, schema.names)})"
