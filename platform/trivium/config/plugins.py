"""Plug-ins named in the pipeline file: entry points of installed packages, and classes of the project."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trivium.core.suggest import one_of

LOOKUPS: Final = "trivium.lookups"
SOURCES: Final = "trivium.sources"


class PluginProblem(ValueError):
    """A plug-in that cannot be used; `hint` says what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return self.message


@functools.cache
def installed(group: str) -> Mapping[str, importlib.metadata.EntryPoint]:
    """Return the plug-ins that installed packages offer, by name. Read once a process: it opens every distribution."""
    return {point.name: point for point in importlib.metadata.entry_points(group=group)}


def plugin(group: str, name: str, built_in: Sequence[str]) -> Any:
    """Return the class that a `type:` names: `module:Class`, or an installed entry point of the group.

    Raises:
        PluginProblem: there is none, or importing it fails.
    """
    point = installed(group).get(name)
    value = name if ":" in name else None if point is None else point.value
    if value is None:
        known = [*built_in, *installed(group)]
        hint = one_of(name, known) or f"one of {', '.join(known)}"
        raise PluginProblem(
            f"expected a {group.rpartition('.')[2][:-1]} type, got {name!r}", f"{hint}; or module:Class"
        )
    module, _, attribute = value.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        said = "".join(traceback.format_exception_only(error)).strip()[:300]
        raise PluginProblem(
            f"{value} cannot be imported: {said}", "module:Class of the project, or install it"
        ) from error
    if not isinstance(found, type):
        raise PluginProblem(f"{value} is no class", "module:Class of the project")
    return found
