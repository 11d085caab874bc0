"""Texts of errors: valid UTF-8, of bounded length, whatever an author's code raised or a record holds.

Every text that repeats bytes of a record goes through `shown` or `decode_error`, every text of an author's error
through `raised`, and every text of a reject through `bounded`.
"""

from __future__ import annotations

from typing import Any, Final

from trivium.core.interrupts import Interrupts, is_interrupt

UNTRUSTED_CHARACTERS: Final = 200
"""Most characters of a record, a key or an answer that one error text repeats."""
MOST_CHARACTERS: Final = 10_000
"""Most characters of an error text, the mark of what was left out included."""
_ROOM_FOR_MARK: Final = 60
# Attributes of a class, read without the class having a say.
_name_of_class: Final = type.__dict__["__name__"].__get__


def bounded(text: str, limit: int = MOST_CHARACTERS) -> str:
    """Return the text as valid UTF-8 with at most `limit` characters; one that was cut off says how long it was.

    Lone surrogates, which no file and no answer can hold, become escapes.
    """
    if type(text) is str and len(text) <= limit and text.isascii():
        return text
    clean = _without_surrogates(str.__getitem__(text, slice(limit)))
    if len(clean) <= limit and str.__len__(text) <= limit:
        return clean
    return clean[: limit - _ROOM_FOR_MARK] + _mark(text)


def shown(value: Any, limit: int = UNTRUSTED_CHARACTERS) -> str:
    """Return a value out of a record or an answer as an error repeats it: its Python form, cut off."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a value may be of an author's class
        text = f"a {class_name(value)} that cannot be shown ({class_name(error)})"
    return _cut(text, limit)


def decode_error(error: Exception, limit: int = UNTRUSTED_CHARACTERS) -> str:
    """Return what a decoder says of a record: its sentence, which may repeat a value, cut off, and the place whole."""
    text = _said(error)
    sentence, at, place = text.rpartition(" - at `")
    return f"{_cut(sentence, limit)}{at}{_cut(place)}" if at else _cut(text, limit)


def raised(error: BaseException) -> str:
    """Return an author's error as its class and its text."""
    name, said = class_name(error), _said(error)
    return bounded(f"{name}: {said}" if said else name)


def text_of(error: BaseException) -> str:
    """Return the text of an author's error, empty if it has none or fails to print."""
    return bounded(_said(error))


def class_name(value: Any) -> str:
    """Return the name of the class of a value."""
    name: str = _name_of_class(type(value))
    return bounded(name, UNTRUSTED_CHARACTERS)


def _said(error: BaseException) -> str:
    try:
        with Interrupts():
            return str.__getitem__(str(error), slice(None))
    except BaseException as failed:
        if is_interrupt(failed):
            raise
        return ""


def _cut(text: str, limit: int = UNTRUSTED_CHARACTERS) -> str:
    kept = _without_surrogates(text[:limit])
    return kept if len(text) <= limit else kept + _mark(text)


def _mark(text: str) -> str:
    return f" … (cut off, {str.__len__(text):,} characters in all)"


def _without_surrogates(text: str) -> str:
    return str.encode(text, "utf-8", "backslashreplace").decode()
