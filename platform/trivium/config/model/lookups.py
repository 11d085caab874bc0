"""The lookups of the pipeline file: built-in sections, and those of plug-ins by their own models."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from trivium.config.model.section import ColumnName, Location
from trivium.config.plugins import LOOKUPS, PluginProblem, plugin
from trivium.contract.lookup import LookupSettings


class FileLookup(LookupSettings):
    """A lookup over files that is held in the memory of each worker."""

    path: Location
    """A file, or a folder of them."""
    key: ColumnName
    """The column that holds the keys."""
    refresh_seconds: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds after which the files are looked at again, and read if they changed."""
    max_rows: Annotated[int, Field(ge=1)] = 5_000_000
    """The most rows a worker loads."""
    max_bytes: Annotated[int, Field(ge=1)] = 1 << 30
    """The most bytes of memory a worker loads."""


class ParquetLookup(FileLookup):
    """A lookup over a Parquet file or a folder of them."""

    type: Literal["parquet"]
    """The kind of lookup."""


class CsvLookup(FileLookup):
    """A lookup over a CSV file in UTF-8 with a header, or a folder of them; quoted as RFC 4180 says."""

    type: Literal["csv"]
    """The kind of lookup."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """The character between two values."""
    null_text: str = ""
    """The text of an absent value, where it is not quoted."""


BUILT_IN: Final[dict[str, type[LookupSettings]]] = {"csv": CsvLookup, "parquet": ParquetLookup}


def settings_model(name: str) -> type[LookupSettings]:
    """Return the model of a lookup's section by its `type`.

    Raises:
        PluginProblem: there is no such lookup, or it cannot be used.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    settings = getattr(plugin(LOOKUPS, name, sorted(BUILT_IN)), "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, LookupSettings)):
        hint = "class Settings(trivium.LookupSettings) inside of it"
        raise PluginProblem(f"the lookup {name} has no Settings of trivium.LookupSettings", hint)
    return settings


def _by_its_model(value: Any) -> Any:
    """Validate a lookup's section by the model its `type` names; problems point at the keys of the section."""
    if isinstance(value, LookupSettings) or not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return value
    try:
        model = settings_model(value["type"])
    except PluginProblem as problem:
        error = PydanticCustomError("plugin", "{message}", {"message": str(problem), "hint": problem.hint})
        raise ValidationError.from_exception_data(
            "lookup", [InitErrorDetails(type=error, loc=("type",), input=value["type"])]
        ) from problem
    return model.model_validate_json(json.dumps(value))


AnyLookup = Annotated[
    SerializeAsAny[LookupSettings], BeforeValidator(_by_its_model), WithJsonSchema({"type": "object"})
]
