"""Rejects of dicts in words of what the person gave: the decoder only sees the JSON that was made of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np

from trivium.notebook.json_text import has_no_word

_PLACE: Final = re.compile(r" - at `\$((?:\.[^`]+|\[\.\.\.\])*)`")
_STEP: Final = re.compile(r"\.([^.\[]+)|(\[)")
_PLAIN: Final = (str, int, float, bool, dict, list, type(None))
_MISSING: Final = "None where a value is missing; or a table, whose gaps are nulls"
_ADVICE: Final[tuple[tuple[Callable[[Any], bool], str], ...]] = (
    (lambda value: isinstance(value, Decimal), "float(value), or declare the field as a Decimal"),
    (lambda value: isinstance(value, np.datetime64), "a datetime with its zone"),
    (lambda value: isinstance(value, datetime) and value.tzinfo is None, "value.replace(tzinfo=…), the zone it is in"),
    (lambda value: isinstance(value, date) and not isinstance(value, datetime), "a datetime with its zone"),
)


def in_words(given: Mapping[str, Any], error: str) -> str:
    """Return the text of a decode error with the value that is at fault, as it was given; else as it was."""
    place = _PLACE.search(error)
    if place is None:
        return next(_unwritable(given), error)
    steps = [name or None for name, _ in _STEP.findall(place[1])]
    value = next((each for each in _at(given, steps) if type(each) not in _PLAIN), None)
    if value is None:
        return error
    advice = next((text for fits, text in _ADVICE if fits(value)), "a plain value of that type")
    return f"{error}; given was {_shown(value)} ({type(value).__name__}). Try: {advice}"


def _unwritable(given: Mapping[str, Any]) -> Iterator[str]:
    for path, value in _leaves(given, ""):
        if has_no_word(value):
            yield f"{path}: got {_shown(value)}, for which JSON has no word. Try: {_MISSING}"
        if isinstance(value, str) and not _is_unicode(value):
            yield f"{path}: got {_shown(value)}, half of a surrogate pair. Try: text that can be written as UTF-8"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple | np.ndarray):
        for index, each in enumerate(value):
            yield from _leaves(each, f"{path}[{index}]")
    else:
        yield path, value


def _at(value: Any, steps: list[str | None]) -> Iterator[Any]:
    """Return what lies at a path; a step that is None stands for each element of a list."""
    if not steps:
        yield value
    elif steps[0] is None and isinstance(value, list | tuple | np.ndarray):
        for each in value:
            yield from _at(each, steps[1:])
    elif isinstance(value, Mapping) and steps[0] in value:
        yield from _at(value[steps[0]], steps[1:])


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    return f"{value!r:.60}"
