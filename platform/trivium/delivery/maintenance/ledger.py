"""The ledger: the metadata of commits, kept after the log's clean-up has erased their entries.

The balance, the ranges and the generation of a commit live in the metadata of its log entry, and vanish with it. Before
maintenance erases entries it copies them here: `<table>/_trivium/ledger/<first>-<last>.jsonl.gzip`, one commit a line,
each file published whole and never changed. A copy that was made twice says the same twice; readers join by version.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec

from trivium.delivery.delta.entry import entry_path
from trivium.delivery.errors import StorageError
from trivium.delivery.storage.storage import Storage

_FOLDER: Final = "_trivium/ledger"
# Not `.gz`: at that ending Arrow's file systems compress on their own what is compressed already.
_FILE: Final = re.compile(rf"{_FOLDER}/(\d{{20}})-(\d{{20}})\.jsonl\.gzip")
_ENTRY: Final = re.compile(r"_delta_log/(\d{20})\.json")
_COMMITS_PER_FILE: Final = 10_000
_READERS: Final = 8  # an object store answers many small reads at once
_DELTAS_OWN: Final = frozenset(
    {
        *("timestamp", "inCommitTimestamp", "operation", "operationParameters", "operationMetrics", "readVersion"),
        *("isolationLevel", "isBlindAppend", "engineInfo", "clientVersion", "txnId", "userId", "userName"),
    }
)

_ENCODER: Final = msgspec.json.Encoder(order="sorted")

_log = logging.getLogger(__name__)


class Commit(msgspec.Struct, frozen=True):
    """One version of a table: `timestamp` in milliseconds since 1970 UTC, `metadata` as given by whoever committed it.

    The metadata of Trivium's own commits are described in `commit.stream` and `commit.batch`; a foreign commit has
    none.
    """

    version: int
    timestamp: int
    metadata: Mapping[str, str]


_DECODER: Final = msgspec.json.Decoder(Commit)


def commits(uri: str) -> list[Commit]:
    """Return every commit of a table that log or ledger still know, by version, each once.

    Right beside a running clean-up, too: it copies before it erases, and the ledger is read after the log.
    """
    storage = Storage(uri)
    live = {commit.version: commit for commit in read_commits(storage, versions(storage))}
    kept = {commit.version: commit for path in _files(storage) for commit in _read_file(storage, path)}
    joined = kept | live
    return [joined[version] for version in sorted(joined)]


def copy(uri: str, wanted: Iterable[int]) -> int:
    """Copy the commits of these versions, other than those copied before. Returns how many were copied.

    Durable on return: their log entries may be erased.
    """
    storage = Storage(uri)
    known = max((int(path.rpartition("-")[2][:20]) for path in _files(storage)), default=-1)
    todo = sorted(version for version in wanted if version > known)
    for start in range(0, len(todo), _COMMITS_PER_FILE):
        part = list(read_commits(storage, todo[start : start + _COMMITS_PER_FILE]))
        if part:
            path = f"{_FOLDER}/{part[0].version:020}-{part[-1].version:020}.jsonl.gzip"
            storage.publish(path, gzip.compress(_ENCODER.encode_lines(part), mtime=0))
    return len(todo)


def versions(storage: Storage) -> list[int]:
    """Return the versions whose log entries are there, sorted."""
    found = (_ENTRY.fullmatch(file.path) for file in storage.list("_delta_log"))
    return sorted(int(match[1]) for match in found if match)


def read_commits(storage: Storage, wanted: Iterable[int]) -> Iterator[Commit]:
    """Yield the commits of these versions as their log entries record them; an entry that is gone is left out."""
    for version, actions in read_actions(storage, wanted, "commitInfo"):
        info = actions[0] if actions else {}
        own = {name: value for name, value in info.items() if name not in _DELTAS_OWN and isinstance(value, str)}
        yield Commit(version, int(info.get("timestamp", 0)), own)


def read_actions(storage: Storage, wanted: Iterable[int], kind: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield the actions of a kind (`commitInfo`, `remove`) in the entries of these versions; gone ones are left out."""
    numbers = list(wanted)
    with ThreadPoolExecutor(_READERS, thread_name_prefix="log-entries") as pool:
        for start in range(0, len(numbers), _COMMITS_PER_FILE):
            part = numbers[start : start + _COMMITS_PER_FILE]
            for version, actions in zip(part, pool.map(lambda each: _actions(storage, each, kind), part), strict=True):
                if actions is not None:
                    yield version, actions


def _actions(storage: Storage, version: int, kind: str) -> list[dict[str, Any]] | None:
    path = entry_path(version)
    content = storage.find(path)
    if content is None:
        return None
    mark = f'"{kind}"'.encode()
    try:
        lines = (json.loads(line) for line in content.splitlines() if mark in line)
        return [line[kind] for line in lines if kind in line]
    except ValueError as error:
        _log.warning("%s/%s is torn (%s); its content is not known", storage.uri, path, error)
        return []


def _files(storage: Storage) -> list[str]:
    return [file.path for file in storage.list(_FOLDER) if _FILE.fullmatch(file.path)]


def _read_file(storage: Storage, path: str) -> list[Commit]:
    try:
        return _DECODER.decode_lines(gzip.decompress(storage.read(path)))
    except (ValueError, OSError, EOFError, zlib.error) as error:
        message = f"{storage.uri}/{path}: expected commits of the ledger, one a line, gzip-compressed, got {error}"
        raise StorageError(f"{message}. Try: restore the file, or move it away and lose its commits") from error
