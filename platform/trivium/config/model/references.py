"""References to secrets in a section: `${NAME}` in the place of a value that travels beside the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr

from trivium.config.yaml.interpolate import variable
from trivium.core.errors import RunError

ValueT = TypeVar("ValueT")


def put_references(value: Any, dumped: Any) -> Any:
    """Return a dumped value with the references of its secrets; stars for anything else."""
    if isinstance(value, SecretStr):
        return value.get_secret_value() if variable(value.get_secret_value()) else str(value)
    if isinstance(value, BaseModel):
        return {name: put_references(getattr(value, name, None), inner) for name, inner in dumped.items()}
    if isinstance(value, dict):
        return {name: put_references(inner, dumped[name]) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [put_references(inner, other) for inner, other in zip(value, dumped, strict=True)]
    return dumped


def variables_of(value: Any) -> Iterator[str]:
    """Yield the names of the variables that a section's secrets name."""
    if isinstance(value, SecretStr):
        name = variable(value.get_secret_value())
        if name is not None:
            yield name
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from variables_of(getattr(value, name))
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from variables_of(inner)


def filled(value: ValueT, secrets: Mapping[str, str], what: str) -> ValueT:
    """Return a section, or a part of one, with the values of its secrets.

    Raises:
        RunError: a secret of `what` is not among them.
    """
    made: Any = value
    if isinstance(value, SecretStr):
        name = variable(value.get_secret_value())
        if name is not None and name not in secrets:
            message = f"{what}: the secret {name} did not reach this process"
            raise RunError(f"{message}; hand the pipeline's secrets over with the plan.")
        made = value if name is None else type(value)(secrets[name])
    elif isinstance(value, BaseModel):
        parts = {name: getattr(value, name) for name in type(value).model_fields}
        made = value.model_copy(update={name: filled(part, secrets, what) for name, part in parts.items()})
    elif isinstance(value, dict):
        made = {name: filled(inner, secrets, what) for name, inner in value.items()}
    elif isinstance(value, list | tuple):
        made = type(value)(filled(inner, secrets, what) for inner in value)
    return made  # type: ignore[no-any-return]
