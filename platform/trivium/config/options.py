"""An executor's options: validated by its own model, with secrets that never enter the file's tree or the plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from trivium.config import validate
from trivium.config.document import Document
from trivium.config.problems import Path
from trivium.config.secret_references import take_secrets
from trivium.contract.executor import ExecutorOptions


@dataclass(frozen=True)
class Options:
    """Validated options. `written` is their plain data with references in place of secrets.

    `places` are the paths of the secrets inside the options; `secrets` maps their variables to values.
    """

    value: ExecutorOptions
    written: dict[str, Any]
    places: tuple[Path, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def read_options(model: type[ExecutorOptions], document: Document, path: Path) -> Options | None:
    """The options at `path`, or None with problems added. Secrets are replaced in the document by their reference."""
    if not isinstance(document.at(path), dict | NoneType):
        return None  # the file's own model says so
    value = validate.validated(model, document, path, validate.OPTIONS)
    if value is None:
        return None
    places = tuple(secret_places(value))
    secrets = take_secrets(document, path, places)
    if secrets is None:
        return None
    given = tuple(place for place in places if (*path, *place) in document.values)
    return Options(value, document.at(path) or {}, given, secrets)


def secret_places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where the secrets of validated options are, in the words of the file."""
    if isinstance(value, SecretStr | SecretBytes):
        yield path
    elif isinstance(value, BaseModel):
        for name, description in type(value).model_fields.items():
            yield from secret_places(getattr(value, name), (*path, description.alias or name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from secret_places(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from secret_places(inner, (*path, index))
