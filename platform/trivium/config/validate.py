"""Plain data into pydantic models, with every error as a problem at its position."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trivium.config.model.kinds import Kinds
from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.model.sources import SOURCE_KINDS
from trivium.config.problems import Path
from trivium.config.yaml import nodes
from trivium.config.yaml.document import Document
from trivium.config.yaml.interpolate import is_one_reference
from trivium.core.suggest import one_of

ModelT = TypeVar("ModelT", bound=BaseModel)
_AUTHORS: Final = ("value_error", "assertion_error")
_PIECE: Final = 4
_LONGEST: Final = 1_000
_CONVERTED: Final = ("int_type", "float_type", "bool_type")
_KINDS: Final[tuple[Kinds[Any], ...]] = (LOOKUP_KINDS, SOURCE_KINDS)


@dataclass(frozen=True)
class Codes:
    """Names of a kind of error: in the file's own keys, or in an executor's options."""

    unknown: str
    missing: str
    wrong: str
    choice: str


FILE: Final = Codes("unknown-key", "missing-key", "wrong-value", "unknown-value")
OPTIONS: Final = Codes("unknown-option", "missing-option", "wrong-option", "wrong-option")


def validated(model: type[ModelT], document: Document, path: Path, codes: Codes) -> ModelT | None:
    """Return the value at `path` as a model; None if it has problems, which are added to the document.

    A leaf that is one reference is text; where the model wants a number or a boolean it is read as one.
    """
    errors = _errors(model, document, path)
    converted = [_convert(document, (*path, *error["loc"]), error) for error in errors]
    if any(converted):
        errors = _errors(model, document, path)
    for error in errors:
        if _inside(document, (*path, *error["loc"])) not in document.broken:
            _report(model, document, path, error, codes)
    return None if errors else model.model_validate_json(_json(document.at(path)))


def _errors(model: type[BaseModel], document: Document, path: Path) -> list[ErrorDetails]:
    try:
        model.model_validate_json(_json(document.at(path)))
    except ValidationError as error:
        return error.errors(include_url=False, include_context=True)
    return []


def _json(value: Any) -> bytes:
    """JSON, because strict models read dates, tuples and enums from it but not from Python's plain data."""
    return json.dumps({} if value is None else value).encode()


def _convert(document: Document, path: Path, error: ErrorDetails) -> bool:
    if error["type"] not in _CONVERTED or not is_one_reference(document.references.get(path, "")):
        return False
    text = document.at(path)
    value = nodes.plain(text) if isinstance(text, str) else text
    document.replace(path, value)
    return value is not text


def _inside(document: Document, path: Path) -> Path:
    """Return the longest part of pydantic's location that exists in the file."""
    while path and path not in document.values:
        path = path[:-1]
    return path


def _report(model: type[BaseModel], document: Document, path: Path, error: ErrorDetails, codes: Codes) -> None:
    where = (*path, *error["loc"])
    name = str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        known = keys_at(model, error["loc"][:-1], document.at(where[:-1]))
        document.add_at_key(where, codes.unknown, f"there is no key {name}", one_of(name, known))
    elif error["type"] == "missing":
        document.add_at_key(where[:-1], codes.missing, f"the key {name} is missing", f"{name}: …")
    elif error["type"] == "plugin":
        document.add(where, codes.choice, error["ctx"]["message"], error["ctx"]["hint"])
    elif error["type"] in ("literal_error", "enum"):
        _report_choice(document, where, error, codes)
    else:
        _report_value(document, path, error, codes)


def _report_choice(document: Document, where: Path, error: ErrorDetails, codes: Codes) -> None:
    expected = str(error.get("ctx", {}).get("expected", ""))
    known = [word.strip("' ") for word in expected.replace(" or ", ", ").split(", ")]
    message = f"expected {expected}, got {shown(document, where)}"
    document.add(where, codes.choice, message, one_of(str(document.at(where)), known))


def _report_value(document: Document, path: Path, error: ErrorDetails, codes: Codes) -> None:
    where = (*path, *error["loc"])
    message = masked(document, path, error["msg"].removeprefix("Value error, "))
    if codes is OPTIONS and error["type"] in _AUTHORS:
        message = _of_an_author(document, path, message)
    got = shown(document, where)
    text = f"{document.dotted(where)}: {message}" if where else message
    document.add(where, codes.wrong, f"{text}; got {got}" if got else text)


def shown(document: Document, path: Path) -> str:
    """Return the value at `path` as messages may show it: what came from a variable is shown as its reference."""
    if path in document.references:
        return document.references[path]
    value = document.at(path)
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return json.dumps(value, ensure_ascii=False)[:80]


def masked(document: Document, path: Path, message: str) -> str:
    """Return a message about the value at `path` without what came from a variable there or below."""
    for place, reference in _references(document, path):
        message = _without(message, str(document.at(place)), reference)
    return message


def _of_an_author(document: Document, path: Path, message: str) -> str:
    """Return the words of an author's own check, masked; none of them if they hold a piece of a variable's value."""
    for place, reference in _references(document, path):
        value, rest = str(document.at(place)), message.replace(reference, "")
        if any(value[at : at + _PIECE] in rest for at in range(min(len(value), _LONGEST) - _PIECE + 1)):
            return "it was refused; the words of the check are not shown, they hold a piece of the value"
    return message


def _references(document: Document, path: Path) -> list[tuple[Path, str]]:
    return [(place, text) for place, text in document.references.items() if place[: len(path)] == path]


def _without(message: str, value: str, reference: str) -> str:
    """Return a message with a value as the reference; a short value is only taken for itself as a word of its own."""
    for text in dict.fromkeys((value, repr(value)[1:-1], json.dumps(value)[1:-1])):
        pattern = re.escape(text) if len(text) >= _PIECE else rf"(?<!\w){re.escape(text)}(?!\w)"
        message = re.sub(pattern, lambda _: reference, message) if text else message
    return message


def keys_at(model: type[BaseModel], path: Iterable[str | int], value: Any = None) -> list[str]:
    """Return the keys a model knows at a location below it, whose `value` may say which of several models it is."""
    here: Any = model
    for part in path:
        here = annotation_below(here, part)
    found = next((option for option in options_of(here) if _is_model(option)), None)
    kinds = next((each for each in _KINDS if each.base is found), None)
    if kinds is not None and isinstance(value, dict):
        found = kinds.model(value["type"])
    return [field.alias or name for name, field in found.model_fields.items()] if found else []


def annotation_below(annotation: Any, part: str | int) -> Any:
    """Return the annotation of what an annotated value holds under a key or an index; None where it is not known."""
    for option in options_of(annotation):
        if _is_model(option) and part in option.model_fields:
            return option.model_fields[part].annotation
        inner = [argument for argument in typing.get_args(option) if argument is not Ellipsis]
        if typing.get_origin(option) in (dict, list, tuple) and inner:
            return inner[-1]
    return None


def options_of(annotation: Any) -> tuple[Any, ...]:
    """Return the types that an annotation allows."""
    if typing.get_origin(annotation) is typing.Annotated:
        return options_of(typing.get_args(annotation)[0])
    return typing.get_args(annotation) if typing.get_origin(annotation) in (typing.Union, UnionType) else (annotation,)


def _is_model(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, BaseModel)
