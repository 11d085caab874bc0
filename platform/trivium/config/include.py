"""Files of teams that a pipeline file includes: their executors and lookups, as if they stood in the one file."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from trivium.config.problems import ConfigError, Path
from trivium.config.yaml.document import Document
from trivium.config.yaml.load import load
from trivium.core.suggest import did_you_mean

_SECTIONS: Final = ("executors", "lookups")
_MOST: Final = 1_000


def include(document: Document, environ: Mapping[str, str], root: FilePath) -> None:
    """Take the executors and lookups of the included files into the document, each with its own file and position."""
    for file in _files(document, root):
        try:
            part = load(file, environ)
        except ConfigError as error:
            document.problems += error.problems
            continue
        for key in part.value:
            if key not in _SECTIONS:
                hint = did_you_mean(key, _SECTIONS) or f"write it in {document.file}, which includes this file"
                message = f"an included file holds {' and '.join(_SECTIONS)}, not {key}"
                part.add_at_key((key,), "unknown-key", message, hint)
        _take_executors(document, part)
        _take_lookups(document, part)
        document.problems += part.problems


def _files(document: Document, root: FilePath) -> Iterator[FilePath]:
    """Yield the included files, each once."""
    patterns = document.value.get("include")
    main = FilePath(document.file).resolve()
    known: set[FilePath] = set()
    for index, pattern in enumerate(patterns if isinstance(patterns, list) else ()):
        place: Path = ("include", index)
        if not isinstance(pattern, str) or not pattern or place in document.broken:
            continue
        found = _matches(FilePath(document.file).parent, pattern)
        if not found:
            document.add(place, "include-missing", f"no file is {pattern!r}, seen from {main.parent}", "teams/*.yaml")
        for file in found:
            resolved = file.resolve()
            if resolved == main:
                message = f"{pattern!r} takes the file into itself"
                document.add(place, "include-itself", message, "keep the files of teams in a folder of their own")
            elif root not in resolved.parents:
                message = f"{file} is not below the project's folder"
                document.add(place, "path-outside", message, "stay inside the project")
            elif resolved not in known:
                known.add(resolved)
                if len(known) > _MOST:
                    document.add(place, "too-large", f"more than {_MOST:,} files are included")
                    return
                yield file


def _matches(folder: FilePath, pattern: str) -> list[FilePath]:
    if "\0" in pattern:
        return []
    if os.path.lexists(folder / pattern):
        return [folder / pattern]
    return [folder / name for name in sorted(glob.glob(pattern, root_dir=folder, recursive=True))]


def _take_executors(document: Document, part: Document) -> None:
    entries = _section(part, "executors", list)
    if entries is None:
        return
    own = document.value.setdefault("executors", [])
    if isinstance(own, list):
        document.take(part, {("executors", at): [("executors", len(own) + at)] for at in range(len(entries))})
        own += entries


def _take_lookups(document: Document, part: Document) -> None:
    lookups = _section(part, "lookups", dict)
    if lookups is None:
        return
    own = document.value.setdefault("lookups", {})
    for name in lookups if isinstance(own, dict) else ():
        place: Path = ("lookups", name)
        if name in own:
            message = f"the lookup {name} is declared twice, first in {document.line_of(place)}"
            part.add_at_key(place, "lookup-declared-twice", message, "keep one of them, or give one another name")
        else:
            own[name] = lookups[name]
            document.take(part, {place: [place]})


def _section(part: Document, key: str, kind: type) -> Any:
    """Return a section of an included file; None where it has none, or one that is a problem."""
    if key not in part.value:
        return None
    found = part.value[key]
    if isinstance(found, kind) and (key,) not in part.broken:
        return found
    expected = "a list of entries" if kind is list else "a mapping of names"
    part.add((key,), "wrong-value", f"{key}: expected {expected}")
    return None
