"""The newest versions of a Delta table, as the times between which each of their files was part of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from trivium.connectors.facts.build import ALWAYS
from trivium.core.errors import SourceError
from trivium.delivery.delta.entry import LOG, entry_path, parse_entry, versions_among
from trivium.delivery.delta.handle import read_delta
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.storage.storage import Storage

_STILL: Final = ALWAYS[1]
_CHECKPOINT: Final = re.compile(r"(\d{20})\.checkpoint\.")


@dataclass(frozen=True)
class Period:
    """A file, and the microseconds since which and before which it was part of the table."""

    file: ActiveFile
    since: int
    until: int


@dataclass(frozen=True)
class _Commit:
    """A version's time, the files that it added, and the paths of those that it removed."""

    moment: int
    added: tuple[ActiveFile, ...]
    removed: tuple[str, ...]


def commit_time(uri: str, version: int) -> int:
    """Return the microseconds at which a version was committed, as its entry has it, or else as the storage has it.

    Raises:
        SourceError: there is no such entry.
    """
    return _commit(Storage(uri), version).moment


def periods(uri: str, newest: int, most: int) -> tuple[list[Period], int]:
    """Return the files of at most so many versions up to `newest`, with their times, and the time of the newest.

    A version begins no earlier than the one before. One whose log entries or files are gone is not among them, nor are
    those before it.

    Raises:
        SourceError: an entry is gone or cannot be read.
        UnsupportedFeature: readers of the table would have to know what we do not.
    """
    storage = Storage(uri)
    first = _first(storage.names(LOG), newest, most)
    start = _commit(storage, first).moment
    there = dict.fromkeys((active := dict(Snapshot(read_delta(uri, first)).active)), start)
    found, moment = [], start
    for version in range(first + 1, newest + 1):
        commit = _commit(storage, version)
        moment = max(moment, commit.moment)
        for path in commit.removed:
            if path in there:
                found.append(Period(active.pop(path), there.pop(path), moment))
        for file in commit.added:
            active[file.path] = file
            there.setdefault(file.path, moment)
    found += [Period(active[path], since, _STILL) for path, since in there.items()]
    return _kept(storage, found), moment


def _first(names: list[str], newest: int, most: int) -> int:
    """Return the oldest version, of at most so many, from which all entries are there, and which can be read."""
    known, oldest = set(versions_among(names)), newest
    while oldest - 1 in known:
        oldest -= 1
    first = max(oldest, newest - most + 1)
    if oldest == 0:
        return first
    checkpoints = sorted(int(match[1]) for match in map(_CHECKPOINT.match, names) if match)
    return max(first, next((version for version in checkpoints if version >= oldest - 1), newest))


def _kept(storage: Storage, found: list[Period]) -> list[Period]:
    """Return what is left of the periods behind the last time at which a file that is gone was part of the table."""
    begin = 0
    for path in {each.file.path for each in found}:
        if storage.stat(path) is None:
            begin = max(begin, *(each.until for each in found if each.file.path == path))
    if begin == _STILL:
        gone = next(each.file.path for each in found if each.until == _STILL and storage.stat(each.file.path) is None)
        raise SourceError(f"{storage.uri}: the newest version names {gone}, which is gone. Try: restore the file")
    clipped = (Period(each.file, max(each.since, begin), each.until) for each in found)
    return sorted((each for each in clipped if each.since < each.until), key=lambda each: (each.since, each.file.path))


def _commit(storage: Storage, version: int) -> _Commit:
    path = entry_path(version)
    content = storage.find(path)
    entry = None if content is None else parse_entry(content)
    if content is None or entry is None or entry.damage or entry.unknown:
        why = "it is gone" if entry is None else entry.damage or entry.unknown
        raise SourceError(
            f"{storage.uri}: expected the log entry of version {version}, whose time and files are needed, got: {why}. "
            "Try: a smaller max_versions"
        )
    added = tuple(ActiveFile(unquote(each.path), each.size, dict(each.partition_values)) for each in entry.added)
    return _Commit(_moment(storage, path, content), added, tuple(unquote(each.path) for each in entry.removed))


def _moment(storage: Storage, path: str, content: bytes) -> int:
    for line in content.splitlines():
        info = json.loads(line).get("commitInfo") if b"commitInfo" in line else None
        if isinstance(info, dict) and isinstance(info.get("timestamp"), int):
            return int(info["timestamp"]) * 1000
    stored = storage.stat(path)
    return 0 if stored is None else stored.modified_us
