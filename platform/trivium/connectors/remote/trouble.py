"""Trouble with a system that answers a lookup, in words that name the lookup and hold no secret."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from trivium.contract.errors import LookupUnavailable
from trivium.contract.secret_uri import SecretUri
from trivium.core.clock import Deadline
from trivium.core.error_text import UNTRUSTED_CHARACTERS, bounded
from trivium.core.errors import LookupAnswerError, RunError
from trivium.engine.concealment import Concealment

_LONGEST_HINT: Final = 600


class Trouble:
    """Makes the errors of one lookup; `section` is its section, whose secrets no error repeats."""

    def __init__(self, name: str, section: BaseModel) -> None:
        self._name = name
        self._concealment = Concealment({str(at): text for at, text in enumerate(_secrets(section))})

    def away(self, error: Exception | str, retry_after: float | None = None) -> LookupUnavailable:
        """Return the error of a system that does not answer now, and may later."""
        return LookupUnavailable(f"lookup {self._name}: {self.text(error)}", retry_after)

    def left(self, deadline: Deadline) -> float:
        """Return the seconds that are left to ask the system.

        Raises:
            LookupUnavailable: none are.
        """
        left = deadline.remaining()
        if left <= 0:
            raise self.away("no time is left to ask")
        return left

    def wrong(self, message: str, hint: str, cause: Exception | str = "") -> LookupAnswerError:
        """Return the error of what can never work: what was expected, what came, and what to try."""
        said = f"{message}: {self.text(cause)}" if cause else message
        text = self._concealment.text(f"{said}. Try: {hint}")
        return LookupAnswerError(f"lookup {self._name}: {bounded(text, _LONGEST_HINT)}")

    def cause(self, error: Exception) -> Exception | None:
        """Return an error as the cause of another; None where it holds a secret, which a traceback would print."""
        said = f"{error} {error!r}"
        return error if self._concealment.text(said) == said else None

    def text(self, said: Exception | str) -> str:
        """Return what another system said: one line, bounded, without secrets."""
        text = said if isinstance(said, str) else f"{type(said).__name__}: {said}"
        return bounded(self._concealment.text(" ".join(text.split())), UNTRUSTED_CHARACTERS)


def optional(module: str, extra: str) -> ModuleType:
    """Import a module of an extra.

    Raises:
        RunError: it is not installed; names the command that does.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RunError(f"a lookup of type {extra} needs {module}: pip install 'trivium[{extra}]'") from error


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, SecretUri) and value.has_password:
        text = value.get_secret_value()
        yield text
        word = _password(text)
        yield from {word, unquote(word)} - {""}
    elif isinstance(value, SecretStr):
        if not isinstance(value, SecretUri):
            yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _secrets(inner)


def _password(uri: str) -> str:
    try:
        return urlsplit(uri).netloc.rpartition("@")[0].partition(":")[2]
    except ValueError:
        return ""
