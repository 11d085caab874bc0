"""Finished units of a batch run, so that a killed run resumes: `<table>/_trivium/runs/<logic>/<unit key>.json`.

A marker carries the generation that wrote it and counts only until a batch commit reaches that generation, and only
while all its files are on storage with their recorded size. Delta's vacuum leaves folders that begin with `_` alone.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trivium.delivery.errors import StorageError
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.storage.storage import Storage

_FOLDER: Final = "_trivium/runs"
_FORMAT: Final = 2  # before there was a number, markers held statistics that hid rows from readers
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UnitMarker:
    """A finished unit: its files in the table and in the dead-letter table, and the caller's own JSON object."""

    key: str
    generation: int
    files: tuple[DataFile, ...]
    rejects: tuple[DataFile, ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The marker as JSON."""
        document = {
            "format": _FORMAT,
            "key": self.key,
            "generation": self.generation,
            "files": [file.as_json() for file in self.files],
            "rejects": [file.as_json() for file in self.rejects],
            "payload": dict(self.payload),
        }
        return json.dumps(document, sort_keys=True).encode()

    @classmethod
    def decode(cls, content: bytes) -> UnitMarker:
        """Return the marker that `encode` wrote.

        Raises:
            ValueError, KeyError, TypeError: it is none, or an earlier release's.
        """
        document = json.loads(content)
        if document["format"] != _FORMAT:
            raise ValueError(f"expected a marker of format {_FORMAT}, got {document['format']}")
        files = tuple(map(DataFile.from_json, document["files"]))
        rejects = tuple(map(DataFile.from_json, document["rejects"]))
        return cls(document["key"], document["generation"], files, rejects, document["payload"])


class RunStore:
    """The markers of one logic hash. `table` and `dead_letters` are the storages the files are relative to."""

    def __init__(self, table: Storage, dead_letters: Storage, logic: str) -> None:
        self._table, self._dead_letters, self._logic = table, dead_letters, _checked(logic)

    def publish(self, marker: UnitMarker) -> None:
        """Store a marker atomically and durably; its files must be closed."""
        self._table.publish(f"{_FOLDER}/{self._logic}/{_checked(marker.key)}.json", marker.encode())

    def load(self, committed: int) -> dict[str, UnitMarker]:
        """The markers that count, by key. `committed` is the generation of the table's newest batch commit."""
        found = (self._read(file.path) for file in self._table.list(f"{_FOLDER}/{self._logic}"))
        return {marker.key: marker for marker in found if marker and self._counts(marker, committed)}

    def clear_spent(self, committed: int) -> int:
        """After a commit: remove the markers, of any logic, that no longer count. Returns how many went."""
        paths = [file.path for file in self._table.list(_FOLDER)]
        spent = [path for path in paths if (marker := self._read(path)) is None or marker.generation <= committed]
        for path in spent:
            self._table.remove(path)
        return len(spent)

    def _counts(self, marker: UnitMarker, committed: int) -> bool:
        table = all(_present(self._table, file) for file in marker.files)
        return marker.generation > committed and table and all(_present(self._dead_letters, f) for f in marker.rejects)

    def _read(self, path: str) -> UnitMarker | None:
        """The marker, or None for what is not one (a temporary file of a killed process)."""
        try:
            return UnitMarker.decode(self._table.read(path)) if path.endswith(".json") else None
        except (ValueError, KeyError, TypeError) as error:
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
