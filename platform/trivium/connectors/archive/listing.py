"""Listing of the files below a source's path: those that are read, and those left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage, StoredFile

_NAMED: Final = 5


@dataclass(frozen=True)
class Listing:
    """The files of a source, sorted by path.

    `renamed` are those among them whose names do not say their format. `foreign` are files of no such format and
    `unmatched` those outside the pattern: neither is read. Hidden files are in none of these.
    `version` is that of the table that names the files, None where they only lie there.
    """

    files: tuple[StoredFile, ...]
    renamed: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    version: int | None = None
    format: str = "Parquet"

    def notes(self) -> list[str]:
        """Return sentences on files that one may not expect to be read, or to be left out."""
        said = [
            (self.foreign, f"left out, since no {self.format}"),
            (self.unmatched, "left out, since outside source.pattern"),
            (self.renamed, "read, since Parquet whatever the name says"),
        ]
        of_table = [] if self.version is None else [f"version {self.version} of the table is read"]
        return [*of_table, *(f"{_files(paths)} {what}: {named(paths)}" for paths, what in said if paths)]


def named(paths: Sequence[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    rest = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + rest


def _files(paths: Sequence[str]) -> str:
    return f"{len(paths):,} file{'' if len(paths) == 1 else 's'}"


def root_of(uri: str) -> tuple[Storage, str]:
    """Return the storage paths are relative to, and the file below it that `uri` names ("" for a folder)."""
    folder, slash, name = uri.rpartition("/")
    if name and not folder.endswith("/"):
        parent = Storage(folder or (slash or "."))
        if parent.stat(name) and not parent.list(name):
            return parent, name
    return Storage(uri), ""


def list_files(
    uri: str, pattern: str | None, choose: Callable[[Storage, Sequence[StoredFile]], Listing], format: str
) -> Listing:
    """List the files of a folder that the pattern names, or else those chosen; or the one file a path names.

    Raises:
        SourceError: there is none.
    """
    storage, name = root_of(uri)
    if name and (found := storage.stat(name)):
        return Listing((found,))
    there = [file for file in storage.list() if not _hidden(file.path)]
    if pattern is not None:
        matches = re.compile(_regex(pattern)).fullmatch
        listing = Listing(
            tuple(file for file in there if matches(file.path)),
            unmatched=tuple(file.path for file in there if not matches(file.path)),
        )
    else:
        listing = replace(choose(storage, there), format=format)
    if not listing.files:
        raise SourceError(_none(uri, pattern, format, [file.path for file in there]))
    return listing


def _hidden(path: str) -> bool:
    return any(part.startswith(("_", ".")) and "=" not in part for part in path.split("/"))


def _none(uri: str, pattern: str | None, format: str, there: Sequence[str]) -> str:
    if not there:
        return f"{uri}: expected {format} files below it, found none. Try: check the path"
    among = f"{len(there):,} other file{'' if len(there) == 1 else 's'} ({named(there)})"
    if pattern is None:
        return f"{uri}: expected {format} files below it, found none but {among}. Try: check the path"
    return (
        f"{uri}: expected files that match source.pattern {pattern!r}, found none but {among}. "
        "Try: a pattern relative to the path, such as **/*.parquet; one without a slash is for names in any folder"
    )


def _regex(pattern: str) -> str:
    """Return a glob as a regular expression for whole paths; `*` stays inside a name, `**` stands for any folders."""
    parts = [part for part in pattern.split("/") if part != "."]
    if "/" not in pattern:
        parts = ["**", *parts]
    steps = ["(?:[^/]+/)*" if part == "**" else _name_regex(part) + "/" for part in parts[:-1]]
    last = "[^/]+(?:/[^/]+)*" if parts[-1] == "**" else _name_regex(parts[-1])
    return "".join([*steps, last])


_TOKEN: Final = re.compile(r"\*+|\?|\[(!?)([^]/]+)\]|.", re.DOTALL)


def _name_regex(part: str) -> str:
    return "".join(map(_token, _TOKEN.finditer(part)))


def _token(token: re.Match[str]) -> str:
    text = token.group()
    if token.group(2) is not None:
        chosen = token.group(2).replace("\\", r"\\").replace("^", r"\^").replace("[", r"\[")
        return f"[{'^/' if token.group(1) else ''}{chosen}]"
    return {"*": "[^/]*", "?": "[^/]"}.get(text[:1], re.escape(text))
