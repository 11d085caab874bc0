"""Vacuum: removes data files that no version within the retention needs, and what ended processes left lying.

A data file stays if it is active, if an entry within the retention removed it (a version before that entry reads it),
if a killed batch run's marker names it (a resumed run commits it), or if it is younger than the retention (a run under
way may still commit it). The storage is listed before the log is read, so a file that was committed in between is
known to the log by then.

Delta's own vacuum is not used: checkpoints forget removed files after a week, so a longer retention would lose files
that time travel needs; it knows no markers; and it would add two commits of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from trivium.core.errors import DeliveryError
from trivium.delivery.commit.claims import Runs, forgotten_claims
from trivium.delivery.delta.durability import make_durable
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.unit_markers import UnitMarker, decode_marker
from trivium.delivery.maintenance import ledger
from trivium.delivery.maintenance.log import expired_log
from trivium.delivery.storage.storage import Storage, StoredFile

_LOG: Final = "_delta_log/"
_RUNS: Final = "_trivium/runs"
_STARTED: Final = "_trivium/started"
_LEFT_IN_LOG: Final = re.compile(r"_delta_log/(.*\.tmp|.*#\d+|torn-.*)")  # deltalake's own begin as `name#1`


@dataclass(frozen=True)
class Markers:
    """Files that the markers of batch runs name: `files` of the table and `rejects` of the dead letters, by path.

    `spent` are the markers themselves that no run can use any more.
    """

    files: frozenset[str]
    rejects: frozenset[str]
    spent: tuple[StoredFile, ...]


def read_markers(uri: str) -> Markers:
    """Read the markers below a table; do so before `orphans`."""
    storage, spent = Storage(uri), []
    files: set[str] = set()
    rejects: set[str] = set()
    listed = [file for file in storage.list(_RUNS) if file.path.endswith(".json")]
    table = Snapshot.latest(uri)
    runs = Runs(uri, table.pipeline or "", table)
    for file in listed:
        marker = _marker(storage, file)
        if marker is not None and runs.replaced(marker.generation):
            spent.append(file)
        elif marker is not None:
            files.update(each.path for each in marker.files)
            rejects.update(each.path for each in marker.rejects)
    return Markers(frozenset(files), frozenset(rejects), tuple(spent))


def orphans(uri: str, cutoff_us: int, named: Collection[str]) -> list[StoredFile]:
    """Return the data files to remove: of no use, and last changed before `cutoff_us` (microseconds since 1970 UTC).

    `named` are files that must stay whatever the log says.

    Raises:
        DeliveryError: the log has a gap, so the files that its versions need are not known.
    """
    storage = Storage(uri)
    old = [file for file in _data_files(storage.list()) if file.modified_us < cutoff_us]
    if not old:
        return []
    needed = _needed(uri, storage, cutoff_us) | set(named)
    return [file for file in old if file.path not in needed]


def leftovers(uri: str, cutoff_us: int) -> list[StoredFile]:
    """Return what ended processes left before `cutoff_us`: temporary and torn files, claims, marks of old runs' actors.

    Tokens stay: a worker that replaces a dead one reads the token of a run, however long that run has been going on.
    """
    storage = Storage(uri)
    known = [file for file in storage.list("_trivium") if file.path.endswith(".tmp")]
    known += [file for file in storage.list("_delta_log") if _LEFT_IN_LOG.fullmatch(file.path)]
    table = Snapshot.latest(uri)
    known += forgotten_claims(uri, table.pipeline or "", table)
    return [file for file in known if file.modified_us < cutoff_us] + _begun_by_old_runs(uri, storage)


def remove(uri: str, files: Iterable[StoredFile]) -> None:
    """Remove files; one that is gone already is fine.

    The log that says they are of no use is made durable first: an older one may still need them.
    """
    storage, wanted = Storage(uri), list(files)
    if wanted:
        make_durable(uri, Snapshot.latest(uri).version)
    for file in wanted:
        storage.remove(file.path)


def _needed(uri: str, storage: Storage, cutoff_us: int) -> set[str]:
    snapshot = Snapshot.latest(uri)
    later = range(expired_log(storage, cutoff_us).current + 1, snapshot.version + 1)
    needed, read = set(snapshot.active), 0
    for _, removals in ledger.read_actions(storage, later, "remove"):
        needed.update(each["path"] for each in removals)
        read += 1
    if read < len(later):
        message = (
            f"table {uri}: expected log entries {later.start} to {snapshot.version}, {len(later) - read} are missing: "
            "it cannot be told which files these versions need; no file was removed. Try: again; or restore the log"
        )
        raise DeliveryError(message)
    return needed | {unquote(path) for path in needed}  # Delta writes paths percent-encoded


def _data_files(listed: Iterable[StoredFile]) -> list[StoredFile]:
    """Return the table's own Parquet files: no hidden folder's, and none of a table that lies within this one."""
    files = list(listed)
    tables = tuple({file.path.split(_LOG)[0] for file in files if f"/{_LOG}" in file.path})
    parquet = [file for file in files if file.path.endswith(".parquet") and not file.path.startswith(tables)]
    return [file for file in parquet if not any(name[0] in "_." for name in file.path.split("/")[:-1] if name)]


def _begun_by_old_runs(uri: str, storage: Storage) -> list[StoredFile]:
    marks = storage.list(_STARTED)
    if not marks:
        return []
    table = Snapshot.latest(uri)
    runs = Runs(uri, table.pipeline or "", table)
    numbers = {mark.path: int(mark.path.removeprefix(f"{_STARTED}/").split("/")[0]) for mark in marks}
    ended = {number for number in set(numbers.values()) if runs.landed(number) or runs.fenced(number)}
    return [mark for mark in marks if numbers[mark.path] in ended]


def _marker(storage: Storage, file: StoredFile) -> UnitMarker | None:
    """Return the marker; None for what is not one, or was cleared meanwhile by a run that committed."""
    content = storage.find(file.path)
    try:
        return None if content is None else decode_marker(content)
    except ValueError:
        return None
