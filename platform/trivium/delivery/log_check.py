"""The check of a table's log: what a power cut left torn is moved aside, never deleted, and said in one line.

Readers need the newest checkpoint, the hint that leads to it, and every entry after it. Entries up to the newest mark
of durability are whole; of those after it the first that is torn or missing ends the log, so the newest commits vanish
whole and none from the middle. A checkpoint only repeats entries: without it the log is read instead. Where those
entries are gone, nothing is moved and the error says what is missing.

A torn file is never an unfinished one: entries and checkpoints get their names once they are written. Two processes
that mend one log take turns, so that none moves aside what was put in the place of a torn entry.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from trivium.delivery.checkpoint_files import (
    HINT,
    Checkpoint,
    Hint,
    checkpoint_damage,
    checkpoints_among,
    read_hint,
)
from trivium.delivery.errors import LogBroken, StorageError
from trivium.delivery.log_entry import LOG, LogEntry, entry_path, read_entry, versions_among
from trivium.delivery.storage import Storage

_LONGEST_UNWRITTEN_US: Final = 3_600_000_000
"""A system writes back what was not synced within a minute; an entry that was torn for an hour before others followed
is not a power cut's work, and those others are not to be taken back for it."""

_log = logging.getLogger(__name__)

Judged = Iterator[tuple[Checkpoint, str | None]]
Judge = Callable[[Storage, list[Checkpoint], Hint | None], Judged]


@dataclass(frozen=True)
class Torn:
    """A file to move aside, and why."""

    path: str
    why: str
    is_entry: bool = False


@dataclass(frozen=True)
class Needed:
    """What readers begin at: `base` is the newest whole checkpoint (-1: none), `proved` the newest torn one.

    A torn checkpoint proves that the versions up to its own were there.
    """

    base: int
    proved: int


class _OnlyCheckpoints(StorageError):
    """Torn checkpoints or hints cannot be moved aside; readers may get along with them."""


def check_log(uri: str) -> list[str]:
    """Move aside what is torn at the end of the log, judging checkpoints from the newest to the first whole one.

    Returns the new paths of what was moved; usually there are none.

    Raises:
        LogBroken: the log does not lead from a whole checkpoint, or from the first entry, to its end.
        StorageError: an entry is torn, and the storage cannot be written.
    """
    try:
        return _mend(uri, _to_the_first_whole)
    except _OnlyCheckpoints as error:
        _log.warning("%s", error)
        return []


def check_whole_log(uri: str) -> list[str]:
    """Do as `check_log`, for a table that did not open: every checkpoint is decoded, whatever its hint says.

    Raises:
        LogBroken: as for `check_log`; or nothing is torn by a cut, but an entry that was durable once is damaged.
        StorageError: something is torn, and the storage cannot be written.
    """
    moved = _mend(uri, _every_one)
    if not moved:
        _prove_entries(Storage(uri))
    return moved


def _mend(uri: str, judge: Judge) -> list[str]:
    storage = Storage(uri)
    if not _find(storage, judge):
        return []
    with storage.hold(LOG):
        torn = _find(storage, judge)  # again: another process may have mended it while this one waited
        moved = [_move_aside(storage, each) for each in torn]
    if torn:
        said = "; ".join(f"{each.path} is {each.why}, now {to}" for each, to in zip(torn, moved, strict=True))
        lost = versions_among(each.path.rsplit("/", 1)[1] for each in torn if each.is_entry)
        end = f"the commits from version {lost[0]} on are gone, whole" if lost else "no commit is lost, the log has all"
        _log.warning("%s: moved aside what a power cut or another writer left torn: %s; %s", uri, said, end)
    return moved


def _move_aside(storage: Storage, torn: Torn) -> str:
    aside = f"{LOG}/torn-{secrets.token_hex(4)}.{torn.path.rsplit('/', 1)[1].removesuffix('.json')}"
    try:
        storage.rename(torn.path, aside)
    except StorageError as error:
        refused = str(error).split(". Try:")[0]
        message = (
            f"table {storage.uri}: {torn.path} is {torn.why}; it is to be moved aside, but its storage cannot be "
            f"written ({refused}). Try: trivium maintain {storage.uri}, where it can be written"
        )
        raise (StorageError if torn.is_entry else _OnlyCheckpoints)(message) from error
    return aside


def _find(storage: Storage, judge: Judge) -> list[Torn]:
    """What is to be moved, in the order in which it may be interrupted: entries newest first, the hint, checkpoints."""
    names = storage.names(LOG)
    if not names:
        return []
    said, found = read_hint(storage), checkpoints_among(names)
    hint = said if isinstance(said, Hint) else None
    damaged = {each: damage for each, damage in judge(storage, found, hint) if damage is not None}
    whole = {each.version for each in found if each.complete and each not in damaged}
    torn = [Torn(path, damage) for each, damage in damaged.items() for path in each.paths]
    if isinstance(said, str):
        torn.insert(0, Torn(HINT, said))
    elif hint is not None and hint.version not in whole:
        torn.insert(0, Torn(HINT, f"a hint to checkpoint {hint.version}, which is not there whole"))
    needed = Needed(max(whole, default=-1), max((each.version for each in damaged), default=-1))
    versions = versions_among(names)
    if torn and not whole and not versions:
        raise _broken(storage, needed, [0])
    return _torn_entries(storage, versions, needed) + torn


def _to_the_first_whole(storage: Storage, found: list[Checkpoint], hint: Hint | None) -> Judged:
    for checkpoint in _seen_by_readers(found, hint):
        damage = checkpoint_damage(storage, checkpoint, _naming(checkpoint, hint))
        yield checkpoint, damage
        if damage is None:
            return


def _every_one(storage: Storage, found: list[Checkpoint], hint: Hint | None) -> Judged:
    for checkpoint in _seen_by_readers(found, hint):
        yield checkpoint, checkpoint_damage(storage, checkpoint, None)


def _seen_by_readers(found: list[Checkpoint], hint: Hint | None) -> list[Checkpoint]:
    """Readers pass over one with missing parts, and its writer may still be at work, unless the hint leads there."""
    return [each for each in found if each.complete or (hint is not None and each.version == hint.version)]


def _naming(checkpoint: Checkpoint, hint: Hint | None) -> Hint | None:
    return hint if hint is not None and hint.version == checkpoint.version else None


def _torn_entries(storage: Storage, versions: list[int], needed: Needed) -> list[Torn]:
    """The first torn or missing one of the entries that readers need, and all after it, newest first.

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
    if whole and (first == 0 or _apart_us(storage, first, whole[-1], whole[0]) > _LONGEST_UNWRITTEN_US):
        raise _broken(storage, needed, [first])
    torn = [Torn(entry_path(number), _why(read[number]) or f"of a version after {first}", True) for number in later]
    return torn if read[first] is None else [*torn, Torn(entry_path(first), str(_why(read[first])), True)]


def _apart_us(storage: Storage, torn: int, next_whole: int, newest: int) -> int:
    """How long after a torn entry, or the next one if it is missing, the newest whole one was written."""
    times = [found.modified_us for at in (torn, next_whole, newest) if (found := storage.stat(entry_path(at)))]
    return times[-1] - times[0] if times else 0


def _prove_entries(storage: Storage) -> None:
    names = storage.names(LOG)
    base = max((each.version for each in checkpoints_among(names) if each.complete), default=-1)
    needed = [version for version in versions_among(names) if version > base]
    damaged = [version for version in needed if (entry := read_entry(storage, version)) is not None and entry.damage]
    if damaged:
        raise _broken(storage, Needed(base, -1), damaged)


def _read_back(storage: Storage, newest: int, base: int) -> tuple[dict[int, LogEntry | None], int]:
    """The entries from the newest back to the last that is known to be durable, and the version of that."""
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
    """A listing beside a writer or a clean-up may miss an entry; a look at it does not."""
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
