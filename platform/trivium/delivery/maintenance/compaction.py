"""Compaction: small files of one partition become one file with the same rows, beside running batches and streams.

Files whose statistics mislead readers (earlier releases wrote such) are rewritten too, alone if need be.

A group is rewritten first, then committed like everything else: `committer.commit` takes a fresh snapshot for each
attempt, and a group counts only while each of its files is active in it. A batch run that replaced one of them wins:
the group is dropped. No position, generation or row changes, so a running stream notices nothing but one more version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from trivium.core.clock import Clock
from trivium.delivery.commit.committer import Change, commit
from trivium.delivery.delta.misleading_files import misleading_files
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.errors import CommitRaceLost, PreconditionFailed
from trivium.delivery.files.event_types import HeldTypes
from trivium.delivery.files.rewrite import Group, Layout, Rewritten, rewrite
from trivium.delivery.storage.storage import Storage

SMALL_BYTES: Final = 32 << 20
TARGET_BYTES: Final = 128 << 20
_GROUPS_PER_COMMIT: Final = 16


@dataclass(frozen=True)
class Compacted:
    """Result of a compaction. `superseded` files were replaced meanwhile, `lost` ones met too many other commits."""

    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows: int = 0
    superseded: int = 0
    lost: int = 0

    def plus(self, other: Compacted) -> Compacted:
        """Return both together."""
        return Compacted(*(a + b for a, b in zip(_figures(self), _figures(other), strict=True)))


class Superseded(PreconditionFailed):
    """Every file that was to be compacted has been replaced meanwhile. Nothing was committed."""


def small_file_groups(snapshot: Snapshot, layout: Layout, settled: Callable[[ActiveFile], bool]) -> list[Group]:
    """Return what is worth compacting: two or more files of less than 32 MiB in a partition, together at most 128 MiB.

    Files with misleading statistics count whatever their size and number. `settled` says of a file whether its rows may
    move. Where a runtime writes one event type a file, files of different types are not put together.
    """
    origins, misleading = _origins(snapshot, layout), misleading_files(snapshot)
    types = HeldTypes(snapshot).single() if layout.apart else {}
    small: dict[tuple[str | None, ...], list[ActiveFile]] = {}
    for file in snapshot.active.values():
        if (file.size < SMALL_BYTES or file.path in misleading) and settled(file):
            key = tuple(file.partition_values[name] for name in snapshot.partition_columns)
            if file.partition_values[layout.runtime] in layout.apart:
                key = (*key, types.get(file.path))
            small.setdefault(key, []).append(file)
    partitions = [sorted(files, key=lambda file: origins[file.path]) for files in small.values()]
    parts = [part for files in partitions for part in _parts(files)]
    worth = [part for part in parts if len(part) > 1 or any(file.path in misleading for file in part)]
    return [Group(part[0].partition_values, part) for part in worth]


def compact(uri: str, layout: Layout, groups: Sequence[Group], clock: Clock) -> Compacted:
    """Rewrite groups and commit them, a few at a time; files that are not wanted any more are left to vacuum.

    Raises:
        FileMismatch: a file does not hold what the table's schema says.
        OutcomeUnknown: see `committer.commit`.
    """
    done = Compacted()
    for start in range(0, len(groups), _GROUPS_PER_COMMIT):
        part = groups[start : start + _GROUPS_PER_COMMIT]
        schema = pa.schema(Snapshot.latest(uri).schema.to_arrow())
        written = tuple(rewrite(Storage(uri), layout, schema, group) for group in part)
        done = done.plus(_commit(uri, Compaction(written), clock))
    return done


@dataclass
class Compaction:
    """Puts rewritten groups in the place of their files. `committed` are those the last attempt held."""

    written: tuple[Rewritten, ...]
    committed: tuple[Rewritten, ...] = ()
    fault_point: str | None = field(default="compaction", init=False)

    def change(self, snapshot: Snapshot) -> Change:
        """Return the groups whose files are all active in this snapshot.

        Raises:
            Superseded: there are none.
        """
        active = snapshot.active
        self.committed = tuple(one for one in self.written if all(file.path in active for file in one.group.files))
        if not self.committed:
            message = f"compaction: all of {len(self.written)} groups of files were replaced meanwhile"
            raise Superseded(f"{message}; nothing was committed")
        return Change(
            add=tuple(file for one in self.committed for file in one.files),
            remove=tuple(file for one in self.committed for file in one.group.files),
            metadata={"kind": "compaction", "rows": str(sum(one.rows for one in self.committed))},
            data_change=False,
        )

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether one of our files, whose names are used once, is in."""
        return any(file.path in snapshot.active for one in self.written for file in one.files)


def _commit(uri: str, compaction: Compaction, clock: Clock) -> Compacted:
    try:
        commit(uri, compaction, clock)
    except Superseded:
        return Compacted(superseded=sum(len(one.group.files) for one in compaction.written))
    except CommitRaceLost:
        return Compacted(lost=sum(len(one.group.files) for one in compaction.written))
    before = [file for one in compaction.committed for file in one.group.files]
    after = [file for one in compaction.committed for file in one.files]
    return Compacted(
        files_before=len(before),
        files_after=len(after),
        bytes_before=sum(file.size for file in before),
        bytes_after=sum(file.size for file in after),
        rows=sum(one.rows for one in compaction.committed),
        superseded=sum(len(one.group.files) for one in compaction.written) - len(before),
    )


def _parts(files: Iterable[ActiveFile]) -> Iterator[tuple[ActiveFile, ...]]:
    part: list[ActiveFile] = []
    size = 0
    for file in files:
        if part and size + file.size > TARGET_BYTES:
            yield tuple(part)
            part, size = [], 0
        part.append(file)
        size += file.size
    yield tuple(part)


def _origins(snapshot: Snapshot, layout: Layout) -> dict[str, tuple[str, int, str]]:
    """Return where the rows of each active file begin: least source, least position; then its name."""
    actions = snapshot.described()
    names = [f"min.{name}" for name in layout.order]
    columns: list[list[Any]] = [
        actions[name].to_pylist() if name in actions.column_names else [None] * actions.num_rows for name in names
    ]
    paths = actions["path"].to_pylist()
    return {path: (source or "", position or 0, path) for path, source, position in zip(paths, *columns, strict=True)}


def _figures(done: Compacted) -> list[int]:
    return [int(value) for value in vars(done).values()]
