"""The log's clean-up: erases what no version within the retention needs.

A version is needed if it was current at some moment within the retention. Reading it takes the newest checkpoint at or
before it and every entry after that checkpoint. So the log is cut at a checkpoint, and never between two; and only at
one that has been there for the retention itself, since a reader that found an older one is still on its way.

Delta's own clean-up stays off: it does not know the ledger, and follows a retention kept in the table's properties.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from trivium.core.errors import DeliveryError
from trivium.core.fault_points import reach
from trivium.delivery.delta.checkpoint_files import HINT, hinted_version
from trivium.delivery.delta.checkpoint_write import write_checkpoint
from trivium.delivery.delta.entry import entry_path
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.maintenance import ledger
from trivium.delivery.storage.storage import Storage, StoredFile

_FILE: Final = re.compile(r"_delta_log/(\d{20})\.(.+)")
_CHECKPOINT: Final = "checkpoint.parquet"


@dataclass(frozen=True)
class ExpiredLog:
    """A log as of one moment.

    `current` is the version that was current at the retention's beginning, or the one before the oldest entry if the
    table is younger: all versions from it on are to stay readable. `cut` is the checkpoint to cut the log at; `paths`
    are the files before it, oldest first, `versions` those of them that are entries.
    """

    current: int
    cut: int | None
    versions: tuple[int, ...]
    paths: tuple[str, ...]


def expired_log(storage: Storage, cutoff_us: int) -> ExpiredLog:
    """Return what no version needs that was current at `cutoff_us` (microseconds since 1970 UTC) or later.

    Raises:
        DeliveryError: there is no log.
    """
    files = _by_version(storage)
    entries = {version: each["json"] for version, each in files.items() if "json" in each}
    if not entries:
        message = f"table {storage.uri}: expected log entries in _delta_log, found none. Try: the path of a table"
        raise DeliveryError(message)
    current = _current(entries, cutoff_us)
    checkpoints = {version: each[_CHECKPOINT] for version, each in files.items() if _CHECKPOINT in each}
    ripe = [version for version, file in checkpoints.items() if version <= current and file.modified_us <= cutoff_us]
    cut = max(ripe, default=None)
    before = [version for version in sorted(files) if cut is not None and version < cut]
    paths = tuple(file.path for version in before for _, file in sorted(files[version].items()))
    return ExpiredLog(current, cut, tuple(version for version in before if version in entries), paths)


def checkpoint(uri: str) -> int:
    """Write a checkpoint of the newest version, durably, unless there is one; returns the version."""
    snapshot = Snapshot.latest(uri)
    write_checkpoint(uri, snapshot)
    return snapshot.version


def clean_log(uri: str, expired: ExpiredLog) -> int:
    """Copy the commits into the ledger, then erase their entries. Returns how many commits the ledger gained.

    Killed in between, the next clean-up goes on: what was copied is not copied again, and entries go oldest first.

    Raises:
        DeliveryError: the checkpoint to cut at does not open, or readers are pointed to one before it.
    """
    if expired.cut is None or not expired.paths:
        return 0
    storage = Storage(uri)
    _check_cut(uri, storage, expired.cut)
    copied = ledger.copy(uri, expired.versions)
    reach("maintenance.after_ledger")
    for number, path in enumerate(expired.paths):
        storage.remove(path)
        if number == len(expired.paths) // 2:
            reach("maintenance.during_clean_up")
    return copied


def _check_cut(uri: str, storage: Storage, cut: int) -> None:
    hinted = hinted_version(storage)
    if hinted is None or hinted < cut:
        message = (
            f"table {uri}: expected the newest checkpoint to be {cut} or later, {HINT} names {hinted}; nothing was "
            "erased. Try: again; maintenance writes a checkpoint first"
        )
        raise DeliveryError(message)
    try:
        Snapshot.at(uri, cut).active  # noqa: B018 - it has to open, all of it, before what comes before it goes
    except Exception as error:
        message = f"table {uri}: version {cut} cannot be read ({error}); nothing was erased. Try: look at its log"
        raise DeliveryError(message) from error
    if storage.stat(_checkpoint_path(cut)) is None:
        message = f"table {uri}: checkpoint {cut} was torn and is moved aside; nothing was erased. Try: again"
        raise DeliveryError(message)
    storage.sync(_checkpoint_path(cut), HINT)  # in the disk's own time the erasures could come before these


def _by_version(storage: Storage) -> dict[int, dict[str, StoredFile]]:
    found: dict[int, dict[str, StoredFile]] = {}
    for file in storage.list("_delta_log"):
        match = _FILE.fullmatch(file.path)
        if match:
            found.setdefault(int(match[1]), {})[match[2]] = file
    return found


def _current(entries: dict[int, StoredFile], cutoff_us: int) -> int:
    current = min(entries) - 1
    for version in sorted(entries):
        if entries[version].modified_us > cutoff_us:
            break
        current = version
    return current


def _checkpoint_path(version: int) -> str:
    return f"{entry_path(version).removesuffix('json')}{_CHECKPOINT}"
