"""An executor's options: validated by its own model. What came from a variable never enters the plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from trivium.config import validate
from trivium.config.problems import Path
from trivium.config.secret_references import all_by_variable, take_values
from trivium.config.yaml.document import Document
from trivium.contract.executor import ExecutorOptions


@dataclass(frozen=True)
class Options:
    """Validated options. `given` maps the place of each value that came from a variable to that value, as JSON."""

    value: ExecutorOptions = field(repr=False)
    given: dict[Path, str] = field(default_factory=dict, repr=False)


def read_options(model: type[ExecutorOptions], document: Document, path: Path) -> Options | None:
    """Return the options at `path`, or None with problems added.

    In the document a reference takes the place of each value that came from a variable, whatever the option's type:
    an author who takes a salt as a plain `str` has a secret, too.
    """
    if not isinstance(document.at(path), dict | NoneType):
        return None  # the file's own model says so
    value = validate.validated(model, document, path, validate.OPTIONS)
    if value is None:
        return None
    secret = [place for place in secret_places(value) if document.at((*path, *place)) is not None]
    if not all_by_variable(document, path, secret):
        return None
    return Options(value, take_values(document, path))


def secret_places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where the secrets of validated options are, in the words of the file."""
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
