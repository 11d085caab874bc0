"""Decimals as JSON holds them: a number, or its digits as text, by one grammar."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from trivium.core.error_text import shown

# RFC 8259's number. Python's Decimal also takes blanks, underscores, digits of other scripts and names.
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_of_text: Final = re.compile(_NUMBER).fullmatch
_of_value: Final = re.compile(f'(?:"{_NUMBER}"|{_NUMBER})'.encode()).fullmatch
_decode_text: Final = msgspec.json.Decoder(str).decode


def read_decimal(raw: msgspec.Raw) -> Decimal:
    """Return the decimal that a JSON value stands for: a number, or text that is written as a JSON number is.

    Raises:
        ValueError: it is neither.
    """
    value = bytes(raw)
    text = value.strip(b'"').decode() if _of_value(value) else _escaped_digits(value)
    try:
        return Decimal(text)
    except InvalidOperation as error:
        message = f"the exponent of {shown(text)} is beyond all decimals"
        raise ValueError(message) from error


def _escaped_digits(value: bytes) -> str:
    try:
        text = _decode_text(value) if value.startswith(b'"') else ""
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    if _of_text(text):
        return text
    message = f"expected a decimal as JSON writes numbers, got {shown(value.decode())}"
    raise ValueError(message)
