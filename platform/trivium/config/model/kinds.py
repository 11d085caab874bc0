"""Sections of the pipeline file whose keys depend on their `type`: built-in ones, and those of plug-ins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from trivium.config.plugins import PluginProblem, plugin

SettingsT = TypeVar("SettingsT", bound=BaseModel)


@dataclass(frozen=True)
class Kinds(Generic[SettingsT]):
    """The kinds of one section: the group of their entry points, the model that all derive from, the built-in ones."""

    group: str
    base: type[SettingsT]
    built_in: Mapping[str, type[SettingsT]]

    def plugin(self, name: str) -> Any:
        """Return the class of a plug-in by its `type`.

        Raises:
            PluginProblem: there is none, or it cannot be used.
        """
        return plugin(self.group, name, sorted(self.built_in))

    def model(self, name: str) -> type[SettingsT]:
        """Return the model of a section by its `type`.

        Raises:
            PluginProblem: there is no such kind, or it cannot be used.
        """
        if name in self.built_in:
            return self.built_in[name]
        settings = getattr(self.plugin(name), "Settings", None)
        if not (isinstance(settings, type) and issubclass(settings, self.base)):
            noun, base = self.group.rpartition(".")[2][:-1], f"trivium.{self.base.__name__}"
            raise PluginProblem(f"the {noun} {name} has no Settings of {base}", f"class Settings({base}) inside of it")
        return settings

    def read(self, value: Any) -> Any:
        """Validate a section by the model its `type` names; problems point at the keys of the section."""
        if isinstance(value, self.base) or not isinstance(value, dict) or not isinstance(value.get("type"), str):
            return value
        try:
            model = self.model(value["type"])
        except PluginProblem as problem:
            error = PydanticCustomError("plugin", "{message}", {"message": str(problem), "hint": problem.hint})
            raise ValidationError.from_exception_data(
                self.base.__name__, [InitErrorDetails(type=error, loc=("type",), input=value["type"])]
            ) from problem
        return model.model_validate_json(json.dumps(value))
