"""Listing of the files below a source's path: those that are read, and those left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage, StoredFile

_THREADS: Final = 16
_NAMED: Final = 5
_SUFFIX: Final = re.compile(r"\.(parquet|parq|pq)\Z", re.IGNORECASE)
_MAGIC: Final = (b"PAR1", b"PARE")
_LEAST_BYTES: Final = 12


@dataclass(frozen=True)
class Listing:
    """The Parquet files of a source, sorted by path.

    `renamed` are those among them whose names do not say that they are Parquet. `foreign` are files that are no Parquet
    and `unmatched` those outside the pattern: neither is read. Hidden files are in none of these.
    `version` is that of the table that names the files, None where they only lie there.
    """

    storage: Storage
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


def list_parquet(uri: str, pattern: str | None = None) -> Listing:
    """List the Parquet files of a folder, or the one file a path names.

    A file is Parquet if its first and last bytes say so. One that a suffix, the pattern or the path itself calls
    Parquet is taken without that look: if it turns out to be none, opening it says so. Names that begin with `_` or `.`
    are hidden, folders of the form `key=value` aside.

    Raises:
        SourceError: there is none, or a file begins or ends as Parquet and not both.
    """
    return list_files(uri, pattern, _by_content, "Parquet")


def list_files(
    uri: str, pattern: str | None, choose: Callable[[Storage, Sequence[StoredFile]], Listing], format: str
) -> Listing:
    """List the files of a folder that the pattern names, or else those chosen; or the one file a path names.

    Raises:
        SourceError: there is none.
    """
    storage, name = root_of(uri)
    if name and (found := storage.stat(name)):
        return Listing(storage, (found,))
    there = [file for file in storage.list() if not _hidden(file.path)]
    if pattern is not None:
        matches = re.compile(_regex(pattern)).fullmatch
        listing = Listing(
            storage,
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


def _by_content(storage: Storage, there: Iterable[StoredFile]) -> Listing:
    files = list(there)
    doubtful = [file for file in files if not _SUFFIX.search(file.path)]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(lambda file: _is_parquet(storage, file), doubtful))
    foreign = [file.path for file, parquet in zip(doubtful, found, strict=True) if not parquet]
    renamed = [file.path for file, parquet in zip(doubtful, found, strict=True) if parquet]
    left_out = set(foreign)
    read = tuple(file for file in files if file.path not in left_out)
    return Listing(storage, read, tuple(renamed), tuple(foreign))


def _is_parquet(storage: Storage, file: StoredFile) -> bool:
    """Look at the first and the last four bytes."""
    if file.size < _LEAST_BYTES:  # a pipe has no size either, and reading it might never end
        return False
    with storage.open(file.path) as opened:
        begins, ends = (opened.read_at(4, at) in _MAGIC for at in (0, file.size - 4))
    if begins != ends:
        side, other = ("begins", "end") if begins else ("ends", "begin")
        raise SourceError(
            f"{storage.uri}/{file.path}: expected a whole Parquet file, got one that {side} as Parquet and does not "
            f"{other} as such. Try: restore the file, move it away, or leave it out with batch.source.pattern"
        )
    return begins


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
