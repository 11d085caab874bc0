"""The part of a table's log that no power cut can take: all that a commit may build on.

deltalake syncs nothing, nor do other engines, and a writer may die before it has synced its own entry. So a commit
first makes the log durable up to the entry it builds on, whoever wrote it, with the files that foreign entries add, and
says so in its own entry (`DURABLE_UP_TO`): a later process looks no further back than the newest entry with that mark.
Behind a checkpoint it does not look either; the checkpoint is synced instead. A process remembers how far it came.
"""

from __future__ import annotations

from dataclasses import dataclass

from trivium.delivery.delta import checkpoint_files
from trivium.delivery.delta.entry import LOG, entry_path, read_entry
from trivium.delivery.storage.storage import Storage, StoredFile


@dataclass(frozen=True)
class _Known:
    """The version up to which a log is durable, and its entry as it was then: a table made anew has another."""

    version: int
    entry: StoredFile


_known: dict[str, _Known] = {}


def make_durable(uri: str, version: int) -> None:
    """Make the log durable up to `version`; what it takes depends on the entries since the last time.

    Raises:
        StorageError: the storage refused; how far the log is durable is not known.
    """
    storage = Storage(uri)
    if storage.durable_once_written:
        return
    known = _recall(storage)
    if known is None or known > version:
        paths = _since_mark(storage, version)
    else:
        paths = [path for number in range(known + 1, version + 1) for path in _with_its_files(storage, number)]
    _sync_and_keep(storage, version, paths)


def make_own_durable(uri: str, version: int) -> None:
    """Make the entry durable that this process just put on a durable log; its files were when they were closed.

    Raises:
        StorageError: the storage refused.
    """
    storage = Storage(uri)
    if not storage.durable_once_written:
        there = storage.stat(entry_path(version)) is not None  # the log's clean-up may have been faster
        _sync_and_keep(storage, version, [entry_path(version)] if there else [])


def _recall(storage: Storage) -> int | None:
    known = _known.get(storage.uri)
    return known.version if known and storage.stat(known.entry.path) == known.entry else None


def _sync_and_keep(storage: Storage, version: int, paths: list[str]) -> None:
    if paths:
        storage.sync(*paths)
    entry = storage.stat(entry_path(version))
    if entry is not None:
        _known[storage.uri] = _Known(version, entry)


def _since_mark(storage: Storage, version: int) -> list[str]:
    """Return what to sync when nothing is remembered: back to the newest mark, or to where readers begin."""
    hinted = checkpoint_files.hinted_version(storage)
    low, number = -1 if hinted is None else min(hinted, version), version
    paths: list[str] = []
    if hinted is not None:
        paths += [f"{LOG}/{name}" for name in storage.names(LOG) if name.startswith(f"{hinted:020}.")]
        paths.append(checkpoint_files.HINT)
    while number > low and (entry := read_entry(storage, number)) is not None:
        paths += _to_sync(storage, number, entry.foreign_files)
        low = max(low, -1 if entry.durable_up_to is None else entry.durable_up_to)
        number -= 1
    return paths


def _with_its_files(storage: Storage, version: int) -> list[str]:
    entry = read_entry(storage, version)
    return [] if entry is None else _to_sync(storage, version, entry.foreign_files)


def _to_sync(storage: Storage, version: int, files: tuple[str, ...]) -> list[str]:
    """Return an entry and its files; one that was removed meanwhile needs nothing."""
    return [*(path for path in files if storage.stat(path) is not None), entry_path(version)]
