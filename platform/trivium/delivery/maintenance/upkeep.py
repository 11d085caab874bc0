"""Keeps one table small and quick to open, beside running batches and streams.

1. Compact small files.
2. Copy the commits whose log entries have expired into the ledger, then erase the entries.
3. Remove files that no version within the retention needs, and what ended processes left.
4. Write a checkpoint.

Each step is whole by itself: killed anywhere, the next maintenance goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trivium.core.clock import Clock
from trivium.delivery.dead_letters.replayed import settle
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

DEFAULT_HOURS: Final = 168
"""Hours for which every version stays readable, if nothing else is said."""
US_PER_HOUR: Final = 3_600_000_000


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
class Upkeep:
    """A table, that of the pipeline's rows beside it, how its files are laid out, and which may be compacted."""

    uri: str
    pipeline_table: str
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


def upkeeps(table_uri: str, letters_uri: str) -> list[Upkeep]:
    """Return the upkeep of a pipeline's table and, where there are any, of its dead letters.

    Raises:
        UnsupportedFeature: another engine gave one of the tables a feature that is not kept to here.
    """
    table = Snapshot.latest(table_uri)
    # Letters of the newest generation may still have to be taken back; those of batch count by partition, not by row.
    newest = table.transaction(transactions.generation(table.pipeline or "", "streaming")) or 0

    def settled(file: ActiveFile) -> bool:
        return not is_streaming(file) or int(file.partition_values["generation"] or 0) < newest

    check_writable(table.table)
    found = [Upkeep(table_uri, table_uri, EVENTS, lambda _: True)]
    letters = Snapshot.find(letters_uri)
    if letters is not None:
        check_writable(letters.table)
        found.append(Upkeep(letters_uri, table_uri, DEAD_LETTERS, settled))
    return found


def keep_up(upkeep: Upkeep, cutoff_us: int, clock: Clock) -> Maintained:
    """Maintain one table. Every version since the cut-off (microseconds since 1970 UTC) stays readable.

    Raises:
        DeliveryError: a step could not be taken; what was done until then is whole.
    """
    uri, storage = upkeep.uri, Storage(upkeep.uri)
    check_log(uri)
    if uri != upkeep.pipeline_table:
        settle(uri, upkeep.pipeline_table, clock)  # its files would be orphans, were the replay never ended
    before = _active(uri)
    compacted = compact(uri, upkeep.layout, upkeep.groups(), clock)
    expired = expired_log(storage, cutoff_us)
    copied = clean_log(uri, expired)
    useless = _useless(upkeep, cutoff_us)
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


def foresee(upkeep: Upkeep, cutoff_us: int) -> Maintained:
    """Return what `keep_up` would do now; changes nothing."""
    groups = upkeep.groups()
    small = [file for group in groups for file in group.files]
    size = sum(file.size for file in small)
    files, total = _active(upkeep.uri)
    expired = expired_log(Storage(upkeep.uri), cutoff_us)
    useless = _useless(upkeep, cutoff_us)
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


def _useless(upkeep: Upkeep, cutoff_us: int) -> _Useless:
    markers = read_markers(upkeep.pipeline_table)
    own = upkeep.uri == upkeep.pipeline_table
    named, spent = (markers.files, markers.spent) if own else (markers.rejects, ())
    return _Useless(orphans(upkeep.uri, cutoff_us, named), [*leftovers(upkeep.uri, cutoff_us), *spent])


def _active(uri: str) -> tuple[int, int]:
    active = Snapshot.latest(uri).active.values()
    return len(active), sum(file.size for file in active)
