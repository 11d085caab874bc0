"""`${NAME}` and `${NAME:-default}` on the string leaves of a parsed file; never on keys, never on structure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from trivium.config.document import Document
from trivium.config.problems import Path
from trivium.config.suggest import did_you_mean

_TOKEN: Final = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<malformed>\$\{)")
_SINGLE: Final = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
_WHOLE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}")


def interpolate(document: Document, environ: Mapping[str, str]) -> None:
    """Replace every reference by its variable's value; what cannot be replaced is a problem."""
    document.value = _walk(document, document.value, (), environ)


def variable(text: str) -> str | None:
    """The variable's name if `text` is exactly `${NAME}`."""
    found = _SINGLE.fullmatch(text)
    return found["name"] if found else None


def is_one_reference(text: str) -> bool:
    """Whether `text` is one reference and nothing else, with a default or without."""
    return _WHOLE.fullmatch(text) is not None


def _walk(document: Document, value: Any, path: Path, environ: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _walk(document, inner, (*path, key), environ) for key, inner in value.items()}
    if isinstance(value, list):
        return [_walk(document, inner, (*path, index), environ) for index, inner in enumerate(value)]
    if isinstance(value, str) and "$" in value:
        return _leaf(document, value, path, environ)
    return value


def _leaf(document: Document, text: str, path: Path, environ: Mapping[str, str]) -> str:
    def replaced(token: re.Match[str]) -> str:
        if token[0] == "$$":
            return "$"
        if token["malformed"]:
            _problem(document, path, "malformed-reference", f"a reference that does not end or has no name: {text!r}")
            return text
        document.references[path] = text
        value: str | None = environ.get(token["name"], token["default"])
        if value is None:
            _unset(document, path, token["name"], environ)
            return text
        if not value.isprintable():
            _problem(document, path, "variable-text", f"the variable {token['name']} holds unprintable characters")
            return text
        return value

    return _TOKEN.sub(replaced, text)


def _unset(document: Document, path: Path, name: str, environ: Mapping[str, str]) -> None:
    near = did_you_mean(name, environ)
    document.broken.add(path)
    hint = near or f"set it, or give a default: ${{{name}:-…}}"
    document.add(path, "unset-variable", f"the variable {name} is not set", hint)


def _problem(document: Document, path: Path, code: str, message: str) -> None:
    document.broken.add(path)
    hint = "${NAME} or ${NAME:-default}; $$ for a dollar" if code == "malformed-reference" else "set it anew"
    document.add(path, code, message, hint)
