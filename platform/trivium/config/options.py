"""Options of executors, and secrets there and in lookups: what came from a variable travels beside the plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from trivium.config import validate
from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.plugins import PluginProblem
from trivium.config.problems import Path, dotted
from trivium.config.yaml.document import Document
from trivium.config.yaml.interpolate import concealed, variable
from trivium.contract.executor import ExecutorOptions
from trivium.contract.secret_uri import SecretUri


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


def secret_settings(document: Document) -> Iterator[tuple[Path, Path]]:
    """Yield where secrets are given in sections of lookups: the section's place, and the place below it.

    A `SecretUri` that is written out is none, unless it holds a password.
    """
    lookups = document.value.get("lookups")
    for name, section in lookups.items() if isinstance(lookups, dict) else ():
        if not isinstance(section, dict) or not isinstance(section.get("type"), str):
            continue
        try:
            model = LOOKUP_KINDS.model(section["type"])
        except PluginProblem:
            continue  # the file's own model says so
        place: Path = ("lookups", name)
        for below, kind in _secrets(model, section, ()):
            if not issubclass(kind, SecretUri) or _is_secret(document, (*place, *below)):
                yield place, below


def take_lookup_secrets(document: Document) -> dict[str, str]:
    """Return the values of lookups' secrets by variable; the document keeps their references. Others are problems."""
    taken: dict[str, str] = {}
    for place, below in list(secret_settings(document)):
        taken.update(take_secrets(document, place, [below]) or {})
    return taken


def take_secrets(document: Document, path: Path, places: Iterable[Path]) -> dict[str, str] | None:
    """Return the values of the secrets at `places` below `path`, by variable; the document keeps their references.

    None if a secret is written out, or given as anything but `${NAME}`: a problem each, and nothing more is said of it.
    """
    given = [place for place in places if document.at((*path, *place)) is not None]
    if not all_by_variable(document, path, given):
        return None
    return dict(_taken(document, (*path, *place)) for place in given)


def all_by_variable(document: Document, path: Path, given: Iterable[Path]) -> bool:
    """Tell whether all secrets at `given` below `path` are written `${NAME}`; a problem for each that is not."""
    literal = [place for place in given if variable(document.references.get((*path, *place), "")) is None]
    for place in literal:
        key = next((step for step in reversed(place) if isinstance(step, str)), "secret")
        name = re.sub(r"\W", "_", key).upper()
        message = f"{dotted(place)} is a secret, so the file may only name the variable that holds it"
        document.add((*path, *place), "secret-literal", message, f"write ${{{name}}}, without a default")
        document.broken.add((*path, *place))
    return not literal


def take_values(document: Document, path: Path) -> dict[Path, str]:
    """Return whatever came from a variable at `path` or below, as JSON by place; the document keeps what was written.

    Defaults are left out of what it keeps: whoever may read a plan need not know them.
    """
    size = len(path)
    found = [place for place in document.references if place[:size] == path and place not in document.broken]
    taken = {place[size:]: json.dumps(document.at(place)) for place in found}
    for place in found:
        document.replace(place, concealed(document.references[place]))
    return taken


def _taken(document: Document, place: Path) -> tuple[str, str]:
    reference, value = document.references[place], document.at(place)
    document.replace(place, reference)
    return variable(reference) or "", value


def _secrets(annotation: Any, value: Any, place: Path) -> Iterator[tuple[Path, type[SecretStr]]]:
    kinds = [
        option
        for option in validate.options_of(annotation)
        if isinstance(option, type) and issubclass(option, SecretStr)
    ]
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _secrets(validate.annotation_below(annotation, key), inner, (*place, key))
    elif kinds:
        yield place, kinds[0]


def _is_secret(document: Document, place: Path) -> bool:
    text = document.at(place)
    if variable(document.references.get(place, "")) is not None:
        return True
    return isinstance(text, str) and SecretUri(text).has_password
