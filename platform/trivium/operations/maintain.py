"""Keeps a pipeline's tables small and quick to open, beside running batches and streams.

For the table, then for its dead letters:

1. Compact small files.
2. Copy the commits whose log entries have expired into the ledger, then erase the entries.
3. Remove files that no version within the retention needs, and what ended processes left.
4. Write a checkpoint.

Each step is whole by itself: killed anywhere, the next maintenance goes on.

The retention is at least a day. It bounds how long after its writing a file may be committed, how long a reader may
hold on to a version, and how far clocks of writers and storage may differ; within a day each of them is beyond doubt,
and a shorter one would save space at the price of a stopped run or an empty reading.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trivium.core.clock import Clock, SystemClock
from trivium.delivery.dead_letters.stream import is_streaming
from trivium.delivery.delta import transactions
from trivium.delivery.delta.features import check_writable
from trivium.delivery.delta.log_check import check_log
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.files.rewrite import DEAD_LETTERS, EVENTS, Group, Layout
from trivium.delivery.maintenance.compaction import Compacted, compact, small_file_groups
from trivium.delivery.maintenance.log import checkpoint, clean_log, expired_log
from trivium.delivery.maintenance.vacuum import leftovers, orphans, read_markers, remove
from trivium.delivery.storage.storage import Storage, StoredFile
from trivium.operations.errors import ArgumentError
from trivium.operations.tables import Tables, check_columns, existing

_log = logging.getLogger(__name__)

SHORTEST_HOURS: Final = 24
DEFAULT_HOURS: Final = 168
_US_PER_HOUR: Final = 3_600_000_000


@dataclass(frozen=True)
class Maintained:
    """Maintenance of one table, done or previewed. Files and bytes are the active ones; `checkpoint` is a version.

    `orphans` are data files of no use, `leftovers` other files that ended processes left; `removed_bytes` are of both.
    """

    table: str
    files_before: int
    bytes_before: int
    files_after: int
    bytes_after: int
    compacted: Compacted
    log_entries_removed: int
    ledger_commits_added: int
    orphans_removed: int
    leftovers_removed: int
    removed_bytes: int
    checkpoint: int | None


@dataclass(frozen=True)
class _Upkeep:
    """A table, how its files are laid out, and which of them may be compacted."""

    uri: str
    layout: Layout
    settled: Callable[[ActiveFile], bool]

    def groups(self) -> list[Group]:
        """Return what is worth compacting now."""
        return small_file_groups(Snapshot.latest(self.uri), self.layout, self.settled)


@dataclass(frozen=True)
class _Useless:
    orphans: list[StoredFile]
    leftovers: list[StoredFile]

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(file.size for file in (*self.orphans, *self.leftovers))


def maintain(tables: Tables, retention_hours: int = DEFAULT_HOURS, clock: Clock | None = None) -> list[Maintained]:
    """Maintain a pipeline's table and its dead letters. Every version of the last `retention_hours` stays readable.

    Of a table that is no pipeline's only a torn log is mended, if it is torn.

    Raises:
        ArgumentError: there is no table, it is no pipeline's, or the retention is too short.
        UnsupportedFeature: another engine gave one of the tables a feature that is not kept to here.
        DeliveryError: a step could not be taken; what was done until then is whole.
    """
    clock = clock or SystemClock()
    cutoff_us = _cutoff(retention_hours, clock)
    mended = check_log(tables.table)
    if mended and Snapshot.latest(existing(tables.table)).pipeline is None:
        _log.warning("%s is no pipeline's table: its log was mended, nothing else was done", tables.table)
        return []
    return [_maintain(upkeep, tables.table, cutoff_us, clock) for upkeep in _upkeeps(tables)]


def preview(tables: Tables, retention_hours: int = DEFAULT_HOURS, clock: Clock | None = None) -> list[Maintained]:
    """Return what `maintain` would do now; changes nothing. How small compacted files get is not known before."""
    cutoff_us = _cutoff(retention_hours, clock or SystemClock())
    return [_preview(upkeep, tables.table, cutoff_us) for upkeep in _upkeeps(tables)]


def _cutoff(retention_hours: int, clock: Clock) -> int:
    if retention_hours < SHORTEST_HOURS:
        raise ArgumentError(
            f"expected a retention of {SHORTEST_HOURS} hours or more, got {retention_hours}: files of a running batch "
            f"or stream that are not committed yet look like orphans. Try: --retention-hours {SHORTEST_HOURS}"
        )
    return clock.now_us() - retention_hours * _US_PER_HOUR


def _upkeeps(tables: Tables) -> list[_Upkeep]:
    table = Snapshot.latest(existing(tables.table))
    if table.pipeline is None:
        message = f"{tables.table} is no pipeline's table, so its files are not Trivium's to arrange or remove"
        raise ArgumentError(f"{message}. Try: a pipeline file, or the path of its table")
    check_columns(tables.table, table)
    # Letters of the newest generation may still have to be taken back; those of batch count by partition, not by row.
    newest = table.transaction(transactions.generation(table.pipeline, "streaming")) or 0

    def settled(file: ActiveFile) -> bool:
        return not is_streaming(file) or int(file.partition_values["generation"] or 0) < newest

    check_writable(table.head)
    upkeeps = [_Upkeep(tables.table, EVENTS, lambda _: True)]
    letters = Snapshot.find(tables.dead_letters)
    if letters is not None:
        check_writable(letters.head)
        upkeeps.append(_Upkeep(tables.dead_letters, DEAD_LETTERS, settled))
    return upkeeps


def _maintain(upkeep: _Upkeep, table_uri: str, cutoff_us: int, clock: Clock) -> Maintained:
    uri, storage = upkeep.uri, Storage(upkeep.uri)
    check_log(uri)
    before = _active(uri)
    compacted = compact(uri, upkeep.layout, upkeep.groups(), clock)
    expired = expired_log(storage, cutoff_us)
    copied = clean_log(uri, expired)
    useless = _useless(upkeep, table_uri, cutoff_us)
    remove(uri, [*useless.orphans, *useless.leftovers])
    written = checkpoint(uri)
    after = _active(uri)
    return Maintained(
        uri,
        *before,
        *after,
        compacted=compacted,
        log_entries_removed=len(expired.versions),
        ledger_commits_added=copied,
        orphans_removed=len(useless.orphans),
        leftovers_removed=len(useless.leftovers),
        removed_bytes=useless.size,
        checkpoint=written,
    )


def _preview(upkeep: _Upkeep, table_uri: str, cutoff_us: int) -> Maintained:
    groups = upkeep.groups()
    small = [file for group in groups for file in group.files]
    size = sum(file.size for file in small)
    files, total = _active(upkeep.uri)
    expired = expired_log(Storage(upkeep.uri), cutoff_us)
    useless = _useless(upkeep, table_uri, cutoff_us)
    return Maintained(
        upkeep.uri,
        files_before=files,
        bytes_before=total,
        files_after=files - len(small) + len(groups),
        bytes_after=total,
        compacted=Compacted(len(small), len(groups), size, size),
        log_entries_removed=len(expired.versions),
        ledger_commits_added=len(expired.versions),
        orphans_removed=len(useless.orphans),
        leftovers_removed=len(useless.leftovers),
        removed_bytes=useless.size,
        checkpoint=None,
    )


def _useless(upkeep: _Upkeep, table_uri: str, cutoff_us: int) -> _Useless:
    markers = read_markers(table_uri)
    own = upkeep.uri == table_uri
    named, spent = (markers.files, markers.spent) if own else (markers.rejects, ())
    return _Useless(orphans(upkeep.uri, cutoff_us, named), [*leftovers(upkeep.uri, cutoff_us), *spent])


def _active(uri: str) -> tuple[int, int]:
    active = Snapshot.latest(uri).active.values()
    return len(active), sum(file.size for file in active)
