"""The check of a table's log: what a power cut left torn is moved aside, never deleted, and reported in one line.

Two processes that mend one log take turns, so that none moves aside what was put in the place of a torn entry.
"""

from __future__ import annotations

import logging
import secrets

from trivium.delivery.delta.entry import LOG, versions_among
from trivium.delivery.delta.torn_files import Judge, Torn, every_one, find_torn, prove_entries, to_the_first_whole
from trivium.delivery.errors import StorageError
from trivium.delivery.storage.storage import Storage

_log = logging.getLogger(__name__)


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
        return _mend(uri, to_the_first_whole)
    except _OnlyCheckpoints as error:
        _log.warning("%s", error)
        return []


def check_whole_log(uri: str) -> list[str]:
    """Do as `check_log`, for a table that did not open: every checkpoint is decoded, whatever its hint says.

    Raises:
        LogBroken: as for `check_log`; or nothing is torn by a cut, but an entry that was durable once is damaged.
        StorageError: something is torn, and the storage cannot be written.
    """
    moved = _mend(uri, every_one)
    if not moved:
        prove_entries(Storage(uri))
    return moved


def _mend(uri: str, judge: Judge) -> list[str]:
    storage = Storage(uri)
    if not find_torn(storage, judge):
        return []
    with storage.hold(LOG):
        torn = find_torn(storage, judge)  # again: another process may have mended it while this one waited
        moved = [_move_aside(storage, each) for each in torn]
    if torn:
        moved_aside = "; ".join(f"{each.path} is {each.why}, now {to}" for each, to in zip(torn, moved, strict=True))
        lost = versions_among(each.path.rsplit("/", 1)[1] for each in torn if each.is_entry)
        end = f"the commits from version {lost[0]} on are gone, whole" if lost else "the log is read instead"
        _log.warning("%s: moved aside what a power cut or another writer left torn: %s; %s", uri, moved_aside, end)
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
