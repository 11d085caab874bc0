"""Finished units of a batch run, so that a killed run resumes: `<table>/_trivium/runs/<run>/<unit key>.json`.

A marker carries the generation of the run that wrote it. It counts until that run, or one that took over from it, has
committed, and only while all its files are on storage with their recorded size. Delta's vacuum leaves folders that
begin with `_` alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from trivium.delivery.errors import StorageError
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.storage.storage import Storage

_FOLDER: Final = "_trivium/runs"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

Spent = Callable[[int], bool]
"""Says of a generation whether its run, or one that took over from it, has committed."""

_log = logging.getLogger(__name__)


class UnitMarker(msgspec.Struct, frozen=True, tag=3, tag_field="format"):
    """A finished unit: its files in the table and in the dead-letter table, and the caller's own JSON object.

    `made` says what made each event type's part of it.
    """

    key: str
    generation: int
    files: tuple[DataFile, ...]
    rejects: tuple[DataFile, ...] = ()
    payload: Mapping[str, Any] = {}
    made: Mapping[str, str] = {}


class _OfOneLogic(msgspec.Struct, tag=2, tag_field="format"):
    """The format before: it does not say what made each type's part. With it msgspec requires the number."""


_DECODER: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(UnitMarker | _OfOneLogic)


def decode_marker(content: bytes) -> UnitMarker:
    """Return the marker that these bytes are.

    Raises:
        ValueError: they are none, or an earlier release's.
    """
    found: UnitMarker | _OfOneLogic = _DECODER.decode(content)
    if isinstance(found, _OfOneLogic):
        raise ValueError("expected a marker of format 3, got 2")
    return found


class RunStore:
    """The markers of runs with equal arguments, which `name` stands for.

    `table` and `dead_letters` are the storages the files are relative to.
    """

    def __init__(self, table: Storage, dead_letters: Storage, name: str) -> None:
        self._table, self._dead_letters, self._name = table, dead_letters, _checked(name)

    def publish(self, marker: UnitMarker) -> None:
        """Store a marker atomically and durably; its files must be closed."""
        self._table.publish(self._path(marker.key), msgspec.json.encode(marker))

    def find(self, key: str) -> UnitMarker | None:
        """Return a unit's marker, whether it counts or not; None where there is none."""
        path = self._path(key)
        return self._read(path) if self._table.stat(path) is not None else None

    def load(self, spent: Spent) -> dict[str, UnitMarker]:
        """Return the markers that count, by key."""
        found = (self._read(file.path) for file in self._table.list(f"{_FOLDER}/{self._name}"))
        return {marker.key: marker for marker in found if marker and self._counts(marker, spent)}

    def clear_spent(self, spent: Spent) -> int:
        """Remove, after a commit, the markers of any run that no longer count. Returns how many went."""
        paths = [file.path for file in self._table.list(_FOLDER)]
        gone = [path for path in paths if (marker := self._read(path)) is None or spent(marker.generation)]
        for path in gone:
            self._table.remove(path)
        return len(gone)

    def _path(self, key: str) -> str:
        return f"{_FOLDER}/{self._name}/{_checked(key)}.json"

    def _counts(self, marker: UnitMarker, spent: Spent) -> bool:
        table = all(_present(self._table, file) for file in marker.files)
        return not spent(marker.generation) and table and all(_present(self._dead_letters, f) for f in marker.rejects)

    def _read(self, path: str) -> UnitMarker | None:
        """Return the marker, or None for what is not one (a temporary file of a killed process)."""
        try:
            return decode_marker(self._table.read(path)) if path.endswith(".json") else None
        except ValueError as error:
            _log.warning("%s/%s is not a unit marker (%s); the unit will run again", self._table.uri, path, error)
            return None


def _present(storage: Storage, file: DataFile) -> bool:
    found = storage.stat(file.path)
    return found is not None and found.size == file.size


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        message = f"{name!r} cannot name a run or unit: expected up to 200 of A-Z a-z 0-9 . _ -. Try: a hash of it"
        raise StorageError(message)
    return name
