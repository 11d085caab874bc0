"""The checkpoints of a table's log and the hint that leads readers to the newest: found, judged, and read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from trivium.delivery.delta.entry import LOG
from trivium.delivery.errors import StorageError
from trivium.delivery.storage.storage import Storage

HINT_NAME: Final = "_last_checkpoint"
HINT: Final = f"{LOG}/{HINT_NAME}"
SYNCED_TAG: Final = "trivium.synced"
"""Key among the hint's tags: the checkpoint it names was synced before the hint was written."""
_NAME: Final = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10})|\.([0-9a-f-]{36}))?\.(?:parquet|json)")


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint: the paths of its parts, relative to the table, and of how many it consists."""

    version: int
    paths: tuple[str, ...]
    parts: int = 1

    @property
    def complete(self) -> bool:
        """True when all parts are there; readers pass over one that is not."""
        return len(self.paths) == self.parts


@dataclass(frozen=True)
class CheckpointHint:
    """The content of `_last_checkpoint`; sizes are None where it does not say them."""

    version: int
    actions: int | None
    size: int | None
    synced: bool


def checkpoints_among(names: Iterable[str]) -> list[Checkpoint]:
    """Return the checkpoints among the names of the log's files, newest first."""
    found: dict[tuple[int, int, str], list[str]] = {}
    for name in sorted(names):
        match = _NAME.fullmatch(name)
        if match:
            key = (int(match[1]), int(match[3] or 1), match[4] or "")
            found.setdefault(key, []).append(f"{LOG}/{name}")
    return [Checkpoint(key[0], tuple(found[key]), key[1]) for key in sorted(found, reverse=True)]


def read_hint(storage: Storage) -> CheckpointHint | str | None:
    """Return the hint, None when there is none, or in words why it is no hint."""
    try:
        content = storage.read(HINT)
    except StorageError:
        if storage.stat(HINT) is None:
            return None
        raise
    if not content.strip():
        return "empty"
    try:
        document = json.loads(content)
    except ValueError:
        return "no JSON"
    if not isinstance(document, dict) or (version := _whole_number(document, "version")) is None:
        return "no JSON object with a version"
    tags = document.get("tags")
    synced = isinstance(tags, dict) and SYNCED_TAG in tags
    return CheckpointHint(version, _whole_number(document, "size"), _whole_number(document, "sizeInBytes"), synced)


def hinted_version(storage: Storage) -> int | None:
    """Return the version that the hint names, or None when there is no readable hint."""
    hint = read_hint(storage)
    return hint.version if isinstance(hint, CheckpointHint) else None


def checkpoint_damage(storage: Storage, checkpoint: Checkpoint, hint: CheckpointHint | None) -> str | None:
    """Return what is wrong with a checkpoint, or None. `hint` is the one that names it, if one does."""
    if not checkpoint.complete:
        return f"incomplete ({len(checkpoint.paths)} of {checkpoint.parts} parts)"
    sizes = [found.size if (found := storage.stat(path)) else 0 for path in checkpoint.paths]
    if 0 in sizes:
        return "empty"
    if hint is not None and hint.size not in (None, sum(sizes)):
        return f"cut off ({sum(sizes)} of {hint.size} bytes)"
    return None if hint is not None and hint.synced else _damage_inside(storage, checkpoint, hint)


def _damage_inside(storage: Storage, checkpoint: Checkpoint, hint: CheckpointHint | None) -> str | None:
    try:
        actions = sum(_count(storage, path) for path in checkpoint.paths)
    except (pa.ArrowException, OSError, ValueError, StorageError) as error:
        return f"cut off or damaged ({str(error).splitlines()[0][:80]})"
    if actions == 0 or (hint is not None and hint.actions not in (None, actions)):
        return f"damaged ({actions} actions)"
    return None


def _count(storage: Storage, path: str) -> int:
    """Count the actions of a part, all of them decoded."""
    if path.endswith(".json"):
        return sum(1 for _ in _json_lines(storage.read(path)))
    with storage.open(path) as stream:
        return sum(batch.num_rows for batch in pq.ParquetFile(stream).iter_batches())


def _json_lines(content: bytes) -> Iterator[Any]:
    return (json.loads(line) for line in content.splitlines() if line.strip())


def _whole_number(document: Mapping[str, Any], name: str) -> int | None:
    value = document.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
