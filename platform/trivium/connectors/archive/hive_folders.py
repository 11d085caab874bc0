"""Columns that lie in folders' names (`country=CH/`), as Hive, Spark, DuckDB and Polars write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

import pyarrow as pa
import pyarrow.types as pt

from trivium.core.errors import SourceError
from trivium.types.column_types import type_problem
from trivium.types.conform import conform
from trivium.types.spec import UTC_MICROSECONDS, FieldSpec

NULL: Final = "__HIVE_DEFAULT_PARTITION__"
_NAIVE: Final = pa.timestamp("us")
_MOST_DIGITS: Final = 38
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)


def folder_texts(uri: str, path: str) -> dict[str, str | None]:
    """Return what the folders of a file say, by column: its text, percent-decoded, or None for Hive's null.

    The folders are those of the source's own location and those below it.

    Raises:
        SourceError: a name that is no text once decoded, or two folders that contradict one another.
    """
    found: dict[str, str | None] = {}
    for folder in (*_location(uri), *path.split("/")[:-1]):
        key, is_pair, value = folder.partition("=")
        if not is_pair or not key:
            continue
        name, text = _decoded(uri, path, key), None if value == NULL else _decoded(uri, path, value)
        if name in found and found[name] != text:
            raise SourceError(
                f"{uri}/{path}: expected one folder for the column {name}, got {found[name]!r} and {text!r}. "
                "Try: rename one of the folders"
            )
        found[name] = text
    return found


def _location(uri: str) -> list[str]:
    """Return the names of the folders that a source's location is made of."""
    return [part for part in (urlsplit(uri).path if "://" in uri else uri).split("/") if part]


def _decoded(uri: str, path: str, text: str) -> str:
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeError as error:
        raise SourceError(
            f"{uri}/{path}: expected folders named in UTF-8, got {text!r}. Try: rename the folder"
        ) from error


def natural_type(declared: pa.DataType) -> pa.DataType | None:
    """Return the Arrow type in which a folder's text is read for a declared type; None where a text cannot hold it."""
    if pt.is_decimal(declared):
        return pa.decimal128(_MOST_DIGITS, declared.scale)
    return next((natural for matches, natural, _ in _KINDS if matches(declared)), None)


def read_text(text: str | None, natural: pa.DataType) -> pa.Array:
    """Return a folder's text as a column of one value of a `natural_type`; a time without zone as a naive one.

    Raises:
        ValueError: it is no such value.
    """
    if text is None:
        return pa.nulls(1, natural)
    if pt.is_decimal(natural):
        return _decimal(text, natural)
    return next(read for matches, _, read in _KINDS if matches(natural))(text)


def folder_column(text: str | None, spec: FieldSpec) -> pa.Array:
    """Return a folder's text as a column of one value of a declared field.

    Raises:
        ValueError: it is none of the field's type.
    """
    natural = natural_type(spec.type.arrow)
    if natural is None:
        message = f"{spec.type.arrow} is not read from a folder's name"
        raise ValueError(message)
    if text is None:
        return pa.nulls(1, spec.type.arrow)
    value = read_text(text, natural)
    if problem := type_problem(value.type, spec.type):
        raise ValueError(problem)
    conformed = conform(value, spec)
    for _, reason in conformed.flaws:
        raise ValueError(reason)
    return conformed.column


def _boolean(text: str) -> pa.Array:
    if text.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return pa.array([text.lower() == "true"])


def _integer(text: str) -> pa.Array:
    if not _INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise ValueError("expected an int")
    return pa.array([int(text)], pa.int64())


def _floating(text: str) -> pa.Array:
    if not _NUMBER.fullmatch(text):
        raise ValueError("expected a number")
    return pa.array([float(text)], pa.float64())


def _decimal(text: str, natural: pa.DataType) -> pa.Array:
    if _NUMBER.fullmatch(text):
        with suppress(InvalidOperation, pa.ArrowInvalid):
            return pa.array([Decimal(text)], natural)
    raise ValueError(f"expected a decimal number with at most {natural.scale} digits after the point")


def _date(text: str) -> pa.Array:
    try:
        return pa.array([date.fromisoformat(text)], pa.date32())
    except ValueError as error:
        raise ValueError("expected a date, YYYY-MM-DD") from error


def _time(text: str) -> pa.Array:
    try:
        moment = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError("expected a time, YYYY-MM-DD hh:mm:ss")
    if moment.tzinfo is None:
        return pa.array([moment], _NAIVE)
    return pa.array([moment.astimezone(UTC)], UTC_MICROSECONDS)


def _text(text: str) -> pa.Array:
    return pa.array([text], pa.string())


_Read = Callable[[str], pa.Array]
_KINDS: Final[list[tuple[Callable[[pa.DataType], bool], pa.DataType, _Read]]] = [
    (pt.is_string, pa.string(), _text),
    (pt.is_boolean, pa.bool_(), _boolean),
    (pt.is_integer, pa.int64(), _integer),
    (pt.is_floating, pa.float64(), _floating),
    (pt.is_date, pa.date32(), _date),
    (pt.is_timestamp, UTC_MICROSECONDS, _time),
]
