"""A typed row as JSON, for its dead letter: what JSON has no word for becomes text that says it."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.types as pt

_NO_NUMBERS: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}


def original(columns: pa.RecordBatch, row: int) -> bytes:
    """Return a typed row as a JSON object.

    Bytes are base64, decimals text with all their digits, maps lists of pairs, and NaN and the infinities the texts
    "NaN", "Infinity" and "-Infinity". Bytes that are no UTF-8 stand in a text as escapes. Times are as Python shows
    them, and the count of their unit where Python has no such time.
    """
    values = {name: plain(columns.column(at)[row]) for at, name in enumerate(columns.schema.names)}
    return json.dumps(values, ensure_ascii=False, allow_nan=False).encode()


def plain(value: pa.Scalar) -> Any:
    """Return one value as `original` writes it."""
    if not value.is_valid:
        return None
    if isinstance(value, pa.DictionaryScalar):
        return plain(value.value)
    if isinstance(value, pa.ExtensionScalar) and not isinstance(value, pa.UuidScalar):
        return plain(value.value)
    write = next((write for matches, write in _WRITERS if matches(value.type)), _shown)
    return write(value)


def _shown(value: pa.Scalar) -> str:
    try:
        return str(value.as_py())
    except (ValueError, OverflowError):
        return str(getattr(value, "value", value))


def _text(value: pa.Scalar) -> str:
    text: str = value.as_buffer().to_pybytes().decode("utf-8", "backslashreplace")
    return text


def _base64(value: pa.Scalar) -> str:
    return b64encode(value.as_buffer().to_pybytes()).decode()


def _number(value: pa.Scalar) -> float | str:
    number = float(value.as_py())
    return number if math.isfinite(number) else _NO_NUMBERS.get(number, "NaN")


def _items(value: pa.Scalar) -> list[Any]:
    return [plain(item) for item in value.values]


def _pairs(value: pa.Scalar) -> list[Any]:
    return [[plain(pair[0]), plain(pair[1])] for pair in value.values]


def _fields(value: pa.Scalar) -> dict[str, Any]:
    return {field.name: plain(value[at]) for at, field in enumerate(value.type)}


def _as_it_is(value: pa.Scalar) -> Any:
    return value.as_py()


_Matches = Callable[[pa.DataType], bool]
_WRITERS: Final[list[tuple[_Matches, Callable[[pa.Scalar], Any]]]] = [
    (pt.is_boolean, _as_it_is),
    (pt.is_integer, _as_it_is),
    (pt.is_floating, _number),
    (pt.is_string, _text),
    (pt.is_large_string, _text),
    (pt.is_string_view, _text),
    (pt.is_binary, _base64),
    (pt.is_large_binary, _base64),
    (pt.is_binary_view, _base64),
    (pt.is_fixed_size_binary, _base64),
    (pt.is_struct, _fields),
    (pt.is_map, _pairs),
    (pt.is_list, _items),
    (pt.is_large_list, _items),
    (pt.is_fixed_size_list, _items),
    (pt.is_list_view, _items),
    (pt.is_large_list_view, _items),
]
