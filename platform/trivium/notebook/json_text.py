"""Plain Python values and JSON lines as the records the decoder reads."""

from __future__ import annotations

import base64
import enum
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np

from trivium.config.worker_spec import RoutingSpec
from trivium.notebook.errors import InputError

TAG_FIELD: Final = RoutingSpec().tag_field or ""
_HEAD: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(
    msgspec.defstruct("Head", [("tag", Any, msgspec.UNSET)], rename={"tag": TAG_FIELD})
)
_NO_WORD: Final = float("nan")  # written as NaN, which the decoder rejects in every field, a text's included
_FORMS: Final[list[tuple[Any, Callable[[Any], Any]]]] = [
    (np.datetime64, lambda value: value.astype("datetime64[us]").item().isoformat()),
    (np.ndarray, lambda value: value.tolist()),
    (datetime | date | time, lambda value: value.isoformat()),
    (Decimal | UUID, str),
    (bytes, lambda value: base64.b64encode(value).decode()),
    (enum.Enum, lambda value: value.value),
    (np.generic, lambda value: value.item()),
    (Mapping, dict),
]


def encoded(value: Mapping[str, Any]) -> bytes:
    """Return a dict as JSON. NaN and infinity are written as such: the decoder rejects them, wherever they come from.

    Raises:
        InputError: it holds a value without an obvious form in JSON.
    """
    try:
        text = json.dumps(dict(value), default=_plain, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"a dict cannot be written as JSON: {error}; dict: {value!r:.120}. Try: plain values, or a table"
        ) from error
    return text.encode("utf-8", "surrogatepass")


def tagged(event: Mapping[str, Any], event_type: str) -> bytes:
    """Return a dict as JSON that names its event type."""
    return encoded(event if TAG_FIELD in event else {**event, TAG_FIELD: event_type})


def tagged_line(line: bytes, event_type: str) -> bytes:
    """Return a JSON line that names its event type; one that is no JSON object stays as it is, to be rejected."""
    if not _lacks_tag(line):
        return line
    body = line.lstrip()[1:].lstrip()
    comma = b"" if body.startswith(b"}") else b","
    return b"{" + json.dumps(TAG_FIELD).encode() + b":" + json.dumps(event_type).encode() + comma + body


def _lacks_tag(line: bytes) -> bool:
    try:
        return _HEAD.decode(line).tag is msgspec.UNSET
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def has_no_word(value: Any) -> bool:
    """Return whether a value stands for none: NaN, an infinity, or the NaT and NA of numpy and pandas."""
    if isinstance(value, float | np.floating):
        return not np.isfinite(value)
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return type(value).__name__ in ("NaTType", "NAType")


def _plain(value: Any) -> Any:
    """Return values that have one obvious form in JSON, the one the decoder reads."""
    if has_no_word(value):
        return _NO_WORD
    for kind, form in _FORMS:
        if isinstance(value, kind):
            return form(value)
    message = f"JSON has no word for a {type(value).__name__}"
    raise TypeError(message)
