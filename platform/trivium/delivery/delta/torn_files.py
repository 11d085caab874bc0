"""Torn files that a power cut left in a table's log, and entries it must not have taken.

Readers need the newest checkpoint, the hint that leads to it, and every entry after it. Entries up to the newest mark
of durability are whole; of those after it the first that is torn ends the log, so the newest commits vanish whole and
none from the middle. One that is missing with whole ones after it was taken by somebody. A checkpoint only repeats
entries: without it the log is read instead. Where entries are gone, nothing is moved and the error names them.

A torn file is never an unfinished one: entries and checkpoints get their names once they are written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from trivium.delivery.delta.checkpoint_files import (
    HINT,
    Checkpoint,
    CheckpointHint,
    checkpoint_damage,
    checkpoints_among,
    read_hint,
)
from trivium.delivery.delta.entry import LOG, LogEntry, entry_path, read_entry, versions_among
from trivium.delivery.errors import LogBroken
from trivium.delivery.storage.storage import Storage

Judged = Iterator[tuple[Checkpoint, str | None]]
Judge = Callable[[Storage, list[Checkpoint], CheckpointHint | None], Judged]
"""Says of checkpoints, newest first, what is wrong with each, or None."""

_LONGEST_UNWRITTEN_US: Final = 3_600_000_000
"""A system writes back what was not synced within a minute; an entry that was torn for an hour before others followed
is not a power cut's work, and those others are not to be taken back for it."""


@dataclass(frozen=True)
class Torn:
    """A file to move aside, and why."""

    path: str
    why: str
    is_entry: bool = False


@dataclass(frozen=True)
class Needed:
    """Entries that readers begin at: `base` is the newest whole checkpoint (-1: none), `proved` the newest torn one.

    A torn checkpoint proves that the versions up to its own were there.
    """

    base: int
    proved: int


def find_torn(storage: Storage, judge: Judge) -> list[Torn]:
    """Return what is to be moved, in the order to move it in: entries newest first, the hint, checkpoints.

    Raises:
        LogBroken: the log does not lead from a whole checkpoint, or from the first entry, to its end.
    """
    names = storage.names(LOG)
    if not names:
        return []
    read, found = read_hint(storage), checkpoints_among(names)
    hint = read if isinstance(read, CheckpointHint) else None
    damaged = {each: damage for each, damage in judge(storage, found, hint) if damage is not None}
    whole = {each.version for each in found if each.complete and each not in damaged}
    torn = [Torn(path, damage) for each, damage in damaged.items() for path in each.paths]
    if isinstance(read, str):
        torn.insert(0, Torn(HINT, read))
    elif hint is not None and hint.version not in whole:
        torn.insert(0, Torn(HINT, f"a hint to checkpoint {hint.version}, which is not there whole"))
    needed = Needed(max(whole, default=-1), max((each.version for each in damaged), default=-1))
    versions = versions_among(names)
    if torn and not whole and not versions:
        raise _broken(storage, needed, [0])
    return _torn_entries(storage, versions, needed) + torn


def to_the_first_whole(storage: Storage, found: list[Checkpoint], hint: CheckpointHint | None) -> Judged:
    """Judge checkpoints from the newest to the first whole one.

    One that its hint calls synced is believed, and one on storage that keeps whatever was written.
    """
    for checkpoint in _used_by_readers(found, hint):
        believed = storage.durable_once_written and checkpoint.complete
        damage = None if believed else checkpoint_damage(storage, checkpoint, _naming(checkpoint, hint))
        yield checkpoint, damage
        if damage is None:
            return


def every_one(storage: Storage, found: list[Checkpoint], hint: CheckpointHint | None) -> Judged:
    """Judge all checkpoints by their content."""
    for checkpoint in _used_by_readers(found, hint):
        yield checkpoint, checkpoint_damage(storage, checkpoint, None)


def _used_by_readers(found: list[Checkpoint], hint: CheckpointHint | None) -> list[Checkpoint]:
    """Leave out those with missing parts, as readers do: a writer may be at work. The hint must not lead to one."""
    return [each for each in found if each.complete or (hint is not None and each.version == hint.version)]


def _naming(checkpoint: Checkpoint, hint: CheckpointHint | None) -> CheckpointHint | None:
    return hint if hint is not None and hint.version == checkpoint.version else None


def _torn_entries(storage: Storage, versions: list[int], needed: Needed) -> list[Torn]:
    """Return the first torn one of the entries that readers need, or what follows a missing one, newest first.

    Raises:
        LogBroken: entries are missing that were there once, or what follows is no power cut's to take back.
    """
    base, newest = needed.base, max(versions, default=needed.base)
    read, durable = _read_back(storage, newest, base)
    there, proved = set(versions), min(newest, max(durable, needed.proved))
    gone = [number for number in range(base + 1, proved + 1) if number not in there and _is_gone(storage, number)]
    if base < 0 and versions and min(versions) > 0 and _is_gone(storage, 0):
        gone = list(range(min(versions)))
    if gone:
        raise _broken(storage, needed, gone)
    first = next((number for number in range(durable + 1, newest + 1) if _why(read[number])), None)
    if first is None:
        return []
    later = [number for number in range(newest, first, -1) if read[number] is not None]
    whole = [number for number in later if _why(read[number]) is None]
    if whole and (first == 0 or _apart_us(storage, first, whole[0]) > _LONGEST_UNWRITTEN_US):
        raise _broken(storage, needed, [first])
    torn = [Torn(entry_path(number), _why(read[number]) or f"of a version after {first}", True) for number in later]
    return torn if read[first] is None else [*torn, Torn(entry_path(first), str(_why(read[first])), True)]


def _apart_us(storage: Storage, torn: int, newest: int) -> float:
    """Return how long after a torn entry the newest whole one was written; without limit for a missing one.

    A folder keeps its names in order: what a cut takes of them are the newest, so whoever took this one is no cut.
    """
    before, after = (storage.stat(entry_path(version)) for version in (torn, newest))
    return math.inf if before is None or after is None else after.modified_us - before.modified_us


def prove_entries(storage: Storage) -> None:
    """Prove that every entry that readers need is whole, those that were durable once included.

    Raises:
        LogBroken: one is not; names it.
    """
    names = storage.names(LOG)
    base = max((each.version for each in checkpoints_among(names) if each.complete), default=-1)
    needed = [version for version in versions_among(names) if version > base]
    damaged = [version for version in needed if (entry := read_entry(storage, version)) is not None and entry.damage]
    if damaged:
        raise _broken(storage, Needed(base, -1), damaged)


def _read_back(storage: Storage, newest: int, base: int) -> tuple[dict[int, LogEntry | None], int]:
    """Return the entries from the newest back to the last known to be durable, and the version of that one."""
    read: dict[int, LogEntry | None] = {}
    durable, number = base, newest
    while number > durable:
        entry = read[number] = read_entry(storage, number)
        mark = None if entry is None or entry.damage else entry.durable_up_to
        if mark is None and storage.durable_once_written and entry is not None and not entry.damage:
            mark = number - 1
        durable = max(durable, -1 if mark is None else mark)
        number -= 1
    return read, durable


def _why(entry: LogEntry | None) -> str | None:
    return "missing" if entry is None else entry.damage


def _is_gone(storage: Storage, version: int) -> bool:
    """Look at an entry itself: a listing beside a writer or a clean-up may miss one."""
    return storage.stat(entry_path(version)) is None


def _broken(storage: Storage, needed: Needed, gone: list[int]) -> LogBroken:
    torn = f"checkpoint {needed.proved} is torn, and " if needed.proved >= 0 else ""
    start = f"after checkpoint {needed.base}" if needed.base >= 0 else "from 0 on (there is no whole checkpoint)"
    named = f"{gone[0]} to {gone[-1]}" if len(gone) > 1 else f"{gone[0]}"
    message = (
        f"table {storage.uri}: {torn}expected every log entry {start}, but {named} cannot be read (gone or torn); "
        "nothing was moved. Try: restore _delta_log from a copy of the table"
    )
    return LogBroken(message)
