"""Names that an event type gives its executor: the folder, the class, the column and the entry in a pipeline file."""

from __future__ import annotations

import builtins
import json
import keyword
import re
from pathlib import Path
from typing import Final

from trivium.config.registry import PACKAGE, module_name
from trivium.config.yaml.nodes import plain
from trivium.operations.errors import ArgumentError

_EVENT_TYPE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
# The names that the files of a new executor import or define beside its own classes.
_TAKEN: Final = frozenset({"Event", "Executor", "NormalizedEvent", "UTC", "NOON"})


def folder_of(event_type: str) -> str:
    """Return the folder below `executors/` in which the executor of an event type lives.

    Raises:
        ArgumentError: no importable module can have that name, or Python or the engine keeps it for itself.
    """
    if _EVENT_TYPE.fullmatch(event_type) is None:
        message = f"{event_type!r} cannot name an event type: expected a letter, then at most 62 of A-Z a-z 0-9 _ . -"
        raise ArgumentError(f"{message}. Try: {lower(event_type) or 'my_type'}")
    folder = module_name(event_type).split(".")[1]
    if folder.startswith("_"):
        message = f"{event_type!r} begins with _, as the names do that Python and the engine keep for themselves"
        raise ArgumentError(f"{message}. Try: {lower(event_type) or 'my_type'}")
    if keyword.iskeyword(folder):
        message = f"{folder!r} is a word of Python, so no module executors/{folder}/ can be imported"
        raise ArgumentError(f"{message}. Try: {folder.lower()}_event")
    return folder


def check_shadows_nothing(root: Path, folder: str) -> None:
    """Prove that the folder hides no module of the project: of `x.py` and `x/`, Python imports the folder.

    Raises:
        ArgumentError: `executors/<folder>.py` is there.
    """
    module = root / PACKAGE / f"{folder}.py"
    if module.exists():
        message = f"{PACKAGE}/{folder}/ would hide the module {module}, which other executors may import"
        raise ArgumentError(f"{message}; nothing was written. Try: another event type, or rename that module first")


def class_name_of(folder: str) -> str:
    """Return the name of the event's class; one that Python or the file uses already gets the ending `Event`."""
    name = "".join(part[:1].upper() + part[1:] for part in folder.split("_"))
    taken = name in _TAKEN or keyword.iskeyword(name) or hasattr(builtins, name)
    return f"{name}Event" if taken else name


def column_of(folder: str) -> str:
    """Return the name of the one column that a new executor writes."""
    return f"{folder.lower()}_value"


def entry_of(event_type: str) -> str:
    """Return the entry of a pipeline file's list of executors; a type that YAML reads as no text is quoted."""
    return f"{{type: {event_type if plain(event_type) == event_type else json.dumps(event_type)}}}"


def lower(name: str) -> str:
    """Return the nearest name of a-z, 0-9 and _ that begins and ends with a letter; empty if there is none."""
    return re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_0123456789")
