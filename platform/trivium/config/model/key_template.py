"""The template that makes texts of keys: `airline:{carrier}`, or `weather:{origin}:{hour}` over several fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

import pyarrow as pa
import pyarrow.types as pt

_NAME: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*|\d+)\}")
_TEXTS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], str]], ...]] = (
    (pt.is_string, str),
    (pt.is_integer, str),
    (pt.is_boolean, lambda value: "true" if value else "false"),
    (pt.is_date, lambda value: value.isoformat()),
    (pt.is_timestamp, lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z")),
    (pt.is_decimal, str),
)


@dataclass(frozen=True)
class KeyTemplate:
    """A template as its `literals`, one more than there are `names`."""

    literals: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> KeyTemplate:
        """Return the template that a text is.

        Raises:
            ValueError: it has no field, or a brace that is none's.
        """
        parts = _NAME.split(text)
        literals, names = tuple(parts[::2]), tuple(parts[1::2])
        if not names or any("{" in literal or "}" in literal for literal in literals):
            raise ValueError("expected a text with fields of the key in braces, for example airline:{carrier}")
        return cls(literals, names)

    def problem(self, key_type: pa.DataType) -> str | None:
        """Return what is wrong with keys of this type, None where nothing is."""
        fields = _fields(key_type)
        odd = [f"{each.type}" for each in fields if _text_of(each.type) is None]
        if odd:
            return f"expected a key of texts, ints, bools, days, times or decimals, got {odd[0]}"
        if not pt.is_struct(key_type):
            distinct = sorted(set(self.names))
            return None if len(distinct) == 1 else f"the key is one field, and the template names {', '.join(distinct)}"
        known = [each.name for each in fields]
        unknown = [name for name in self.names if _place(name, known) is None]
        if unknown:
            return f"the key has the fields {', '.join(known)}, and the template names {unknown[0]}"
        used = {_place(name, known) for name in self.names}
        unused = [name for at, name in enumerate(known) if at not in used]
        return f"the template leaves out {unused[0]}, a field of the key" if unused else None

    def texts(self, keys: pa.Array, key_type: pa.DataType) -> list[str]:
        """Return the text of each key; the fields have the names of `key_type`, a type without a problem."""
        fields = _fields(key_type)
        if pt.is_struct(key_type):
            known = [each.name for each in fields]
            places = [place for name in self.names if (place := _place(name, known)) is not None]
            columns = keys.flatten()
        else:
            places, columns = [0] * len(self.names), [keys]
        made = [self._column(columns[place], fields[place].type) for place in places]
        first, *rest = self.literals
        ends: Sequence[tuple[list[str], str]] = list(zip(made, rest, strict=True))
        return [first + "".join(values[row] + end for values, end in ends) for row in range(len(keys))]

    @staticmethod
    def _column(column: pa.Array, arrow: pa.DataType) -> list[str]:
        text = _text_of(arrow) or str
        return [text(value) for value in column.to_pylist()]


def _fields(key_type: pa.DataType) -> list[pa.Field]:
    return list(key_type) if pt.is_struct(key_type) else [pa.field("key", key_type)]


def _text_of(arrow: pa.DataType) -> Callable[[Any], str] | None:
    return next((text for matches, text in _TEXTS if matches(arrow)), None)


def _place(name: str, known: Sequence[str]) -> int | None:
    """Return which field of a key a template names: by its name, or by its number from 0."""
    if name in known:
        return known.index(name)
    return int(name) if name.isdigit() and int(name) < len(known) else None
