"""`${NAME}` and `${NAME:-default}` on the string leaves of a parsed file; never on keys, never on structure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trivium.config.problems import Path
from trivium.config.yaml.document import Document
from trivium.core.suggest import did_you_mean

MAX_CHARACTERS: Final = 1 << 22
"""Of all values of a file that name variables, filled in."""
_HEAD: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(\}|:-)")
_SINGLE: Final = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
_WHOLE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?:\}|:-[^}]*\})")
_HINT: Final = "${NAME} or ${NAME:-default}; $$ for a dollar"
_SUGGESTIONS: Final = 20


@dataclass(frozen=True)
class _Reference:
    """A reference in a text; `default` is None where it has none."""

    name: str
    default: str | None

    @property
    def shown(self) -> str:
        return f"${{{self.name}}}" if self.default is None else f"${{{self.name}:-…}}"


class _MalformedError(ValueError):
    """A reference that does not end or has no name."""


def interpolate(document: Document, environ: Mapping[str, str]) -> None:
    """Replace every reference by its variable's value; what cannot be replaced is a problem."""
    document.value = _Filling(document, environ).walk(document.value, ())


def variable(text: str) -> str | None:
    """Return the variable's name if `text` is exactly `${NAME}`."""
    found = _SINGLE.fullmatch(text)
    return found["name"] if found else None


def is_one_reference(text: str) -> bool:
    """Tell whether `text` is one reference and nothing else, with a default or without."""
    return _WHOLE.fullmatch(text) is not None


def references(text: str) -> list[tuple[str, str | None]]:
    """Return name and default (None: it has none) of each reference of a well-formed text."""
    return [(part.name, part.default) for part in _parts(text) if isinstance(part, _Reference)]


def concealed(text: str) -> str:
    """Return a text with references as it may be shown to anybody: its defaults, too, are left out."""
    return "".join(part if isinstance(part, str) else part.shown for part in _parts(text))


def _parts(text: str) -> Iterator[str | _Reference]:
    """Yield what a text is made of, in one pass: an unfinished reference is not looked for at every place again."""
    last, at = text.rfind("}"), 0
    while (dollar := text.find("$", at)) >= 0:
        yield text[at:dollar]
        if text.startswith("${", dollar):
            head = _HEAD.match(text, dollar)
            if head is None or head.end() > last + 1:
                raise _MalformedError
            at = head.end() if head[2] == "}" else text.index("}", head.end()) + 1
            yield _Reference(head[1], None if head[2] == "}" else text[head.end() : at - 1])
        else:
            at = dollar + (2 if text.startswith("$$", dollar) else 1)
            yield "$"
    yield text[at:]


class _Filling:
    """The filling in of one document's references."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document, self._environ = document, environ
        self._room, self._suggestions = MAX_CHARACTERS, _SUGGESTIONS

    def walk(self, value: Any, path: Path) -> Any:
        """Return a value with its references filled in."""
        if isinstance(value, dict):
            return {key: self.walk(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.walk(inner, (*path, index)) for index, inner in enumerate(value)]
        return self._leaf(value, path) if isinstance(value, str) and "$" in value else value

    def _leaf(self, text: str, path: Path) -> str:
        try:
            parts = list(_parts(text))
        except _MalformedError:
            shown = repr(text if len(text) <= 80 else f"{text[:80]}…")
            self._problem(path, "malformed-reference", f"a reference that does not end or has no name: {shown}", _HINT)
            return text
        if any(isinstance(part, _Reference) for part in parts):
            self._document.references[path] = text
        filled: list[str] = []
        reported: set[str] = set()
        for part in parts:
            value = part if isinstance(part, str) else self._value(part, path, reported)
            self._room -= len(value)
            if self._room < 0:
                message = f"this file and its variables hold more than {MAX_CHARACTERS:,} characters together"
                self._problem(path, "variable-text", message, "name files instead of their content")
                return text
            filled.append(value)
        return text if reported else "".join(filled)

    def _value(self, reference: _Reference, path: Path, reported: set[str]) -> str:
        """Return a variable's value; one that cannot be had is a problem of the leaf, once, and in `reported`."""
        name = reference.name
        value: str | None = self._environ.get(name, reference.default)
        if name in reported:
            return ""
        if value is None:
            reported.add(name)
            self._unset(path, name)
            return ""
        if not value.isprintable():
            reported.add(name)
            self._problem(path, "variable-text", f"the variable {name} holds unprintable characters", "set it anew")
            return ""
        return value

    def _unset(self, path: Path, name: str) -> None:
        self._suggestions -= 1
        near = did_you_mean(name, self._environ) if self._suggestions >= 0 else ""
        hint = near or f"set it, or give a default: ${{{name}:-…}}"
        self._problem(path, "unset-variable", f"the variable {name} is not set", hint)

    def _problem(self, path: Path, code: str, message: str, hint: str) -> None:
        self._document.broken.add(path)
        self._document.add(path, code, message, hint)
