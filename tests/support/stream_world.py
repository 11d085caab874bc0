"""Two tables, a topic, and the processes at work on them: streams, batch runs, an operator's resets, compactions.

Every look at a table and every commit of a process is a pause (`stream_actors`); where the log is kept is a backend.
Records have no content: whether one is a row, a drop or a reject is drawn anew at every attempt.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Protocol
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction, RemoveAction
from msgspec.structs import replace

from tests.support.sample_table import AUTHOR, PIPELINE, write_rows
from tests.support.stream_actors import Actor, current
from tests.support.stream_memory import MemoryLog, MemoryTable
from tests.support.stream_table import letters_at, rows_at
from trivium.delivery.dead_letters.schema import dead_letter_table, reject_files
from trivium.delivery.delta.entry_write import NewEntry, write_entry
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.delta.state import newest
from trivium.delivery.delta.state.log_state import LogState
from trivium.delivery.errors import AlreadyThere, StorageError
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.maintenance.vacuum import remove
from trivium.delivery.storage.storage import Storage, StoredFile
from trivium.delivery.table import TableSpec, events_table, open_table

TOPIC: Final = "flights"
DAY: Final = "2026-01-01"

Place = tuple[str, int]
_SOURCE: Final = itemgetter(0)


class Backend(Protocol):
    """Where logs are kept."""

    def create(self, spec: TableSpec) -> None: ...

    def open(self, uri: str) -> Any: ...

    def newest(self, uri: str, kept: dict[str, Any]) -> tuple[LogState, Any]: ...

    def write(self, uri: str, snapshot: Snapshot, entry: NewEntry) -> None: ...


class MemoryBackend:
    """Logs in memory."""

    def __init__(self) -> None:
        self.logs: dict[str, MemoryLog] = {}

    def create(self, spec: TableSpec) -> None:
        self.logs[spec.uri] = MemoryLog(spec)

    def open(self, uri: str) -> MemoryTable:
        return MemoryTable(self.logs[uri])

    def newest(self, uri: str, kept: dict[str, Any]) -> tuple[LogState, Any]:
        table = self.open(uri)
        return table.state(), table

    def write(self, uri: str, snapshot: Snapshot, entry: NewEntry) -> None:
        self.logs[uri].write(snapshot.version, entry)


class DeltaBackend:
    """Real ones."""

    def create(self, spec: TableSpec) -> None:
        open_table(spec)

    def open(self, uri: str) -> DeltaTable:
        return DeltaTable(uri)

    def newest(self, uri: str, kept: dict[str, Any]) -> tuple[LogState, Any]:
        """Look as a process that keeps what it knows in `kept`."""
        with mock.patch.object(newest, "_kept", kept):
            return newest.newest(uri)

    def write(self, uri: str, snapshot: Snapshot, entry: NewEntry) -> None:
        write_entry(uri, snapshot, entry)


class World:
    """`seen` counts what happened; `rows` are the contents of data files; `late` holds commits still under way.

    `lasting` are the versions whose committers were told that they landed.
    """

    def __init__(self, folder: Path, backend: Backend) -> None:
        self.uri, self.letters_uri, self.backend = str(folder / "table"), str(folder / "letters"), backend
        self.partitions, self.identity = 2, 1
        self.seen: Counter[str] = Counter()
        self.rows: dict[str, Counter[Place]] = {}
        self.makers: dict[str, Actor | None] = {}
        self.tried: dict[Place, set[str]] = {}
        self.late: list[Callable[[], None]] = []
        self.lasting: Counter[str] = Counter()
        self._numbers = count()
        backend.create(events_table(self.uri, PIPELINE, AUTHOR, ["event_date"]))
        backend.create(dead_letter_table(self.letters_uri, PIPELINE))

    @property
    def names(self) -> list[str]:
        """The partitions the topic has now."""
        return [f"{TOPIC}/{number}" for number in range(self.partitions)]

    def newest(self, uri: str) -> tuple[LogState, Any]:
        """What `newest` is to the code under test."""
        actor = current()
        if actor is None:
            return self.backend.newest(uri, {})
        silent = actor.outage > 0
        actor.outage -= silent
        if silent or actor.pause("look") == "fail":
            self.seen["looks that failed"] += 1
            message = f"{uri}: no answer"
            raise StorageError(message)
        return self.backend.newest(uri, actor.kept)

    def write(self, uri: str, snapshot: Snapshot, entry: NewEntry) -> None:
        """What `write_entry` is to the code under test: commits wait for an order."""
        actor, put = current(), partial(self.backend.write, uri, snapshot, entry)
        assert actor is not None
        order = actor.pause("commit")
        if order == "late":
            self.late.append(put)
        if order in ("fail", "lost", "late"):
            self.seen["commits without answer"] += 1
            message = "the connection was closed"
            raise OSError(message)
        try:
            put()
        except AlreadyThere:
            self.seen["races lost"] += 1
            raise
        if order == "blind":
            self.seen["landed without answer"] += 1
            message = "the response was lost"
            raise OSError(message)

    def data_file(self, places: Iterable[Place], runtime: str) -> DataFile:
        """A file of the table."""
        rows = Counter(places)
        grouped = groupby(sorted(rows.elements()), _SOURCE)
        parts = [rows_at(source, [at for _, at in group]) for source, group in grouped]
        (written,) = write_rows(self.uri, pa.concat_tables(parts), runtime)
        path = f"event_date={DAY}/{runtime}-{next(self._numbers)}.parquet"
        self.rows[path], self.makers[path] = rows, current()
        Storage(self.uri).rename(written.path, path)
        return replace(written, path=path)

    def last(self, uri: str, version: int) -> None:
        """Somebody was told that a version is there to stay."""
        self.lasting[uri] = max(self.lasting[uri], version)

    def letter_files(self, places: Iterable[Place], name: str, runtime: str) -> tuple[DataFile, ...]:
        """Real files of the dead-letter table."""
        writer = reject_files(Storage(self.letters_uri), name, runtime)
        for source, group in groupby(sorted(places), _SOURCE):
            writer.write(letters_at(source, [offset for _, offset in group]))
        return tuple(writer.close())

    def deliver(self) -> None:
        """Commits that were taken for lost arrive; they get in only if nobody was first."""
        arriving, self.late = self.late, []
        for put in arriving:
            try:
                put()
            except AlreadyThere:
                self.seen["late commits too late"] += 1
            else:
                self.seen["late commits landed"] += 1

    def compact_table(self) -> None:
        """A foreign engine puts streaming's files together."""
        active = Snapshot(self.backend.open(self.uri)).active
        chosen = [file for file in active.values() if file.partition_values["_runtime"] == "streaming"]
        if len(chosen) > 1:
            places = [place for file in chosen for place in self.rows[file.path].elements()]
            self._replace(self.uri, chosen, self.data_file(places, "streaming"))
            self.seen["compactions"] += 1

    def compact_letters(self) -> None:
        """A foreign engine puts dead letters together, those that count and those that do not."""
        files = list(Snapshot(self.backend.open(self.letters_uri)).active.values())
        key = lambda file: str(sorted(file.partition_values.items()))  # noqa: E731 - used twice, here only
        for _, group in groupby(sorted(files, key=key), key=key):
            chosen = list(group)
            if len(chosen) > 1:
                self._replace(self.letters_uri, chosen, self._joined(chosen))
                self.seen["compactions of letters"] += 1

    def vacuum(self, living: Iterable[Actor]) -> None:
        """Remove the files nobody sees and no living process has made."""
        active, makers = Snapshot(self.backend.open(self.uri)).active, list(living)
        for path in [path for path, maker in self.makers.items() if path not in active and maker not in makers]:
            remove(self.uri, [StoredFile(path, 0, 0)])
            del self.makers[path]
            self.seen["orphans removed"] += 1

    def _joined(self, files: list[ActiveFile]) -> DataFile:
        parts = [pq.ParquetFile(Path(self.letters_uri, file.path)).read() for file in files]
        path = Path(files[0].path).with_name(f"part-{next(self._numbers)}.parquet").as_posix()
        rows = pa.concat_tables(parts)
        pq.write_table(rows, Path(self.letters_uri, path))
        Storage(self.letters_uri).sync(path)  # an engine that does not has only itself to blame
        size = Path(self.letters_uri, path).stat().st_size
        return DataFile(path, files[0].partition_values, rows.num_rows, size)

    def _replace(self, uri: str, old: list[ActiveFile], new: DataFile) -> None:
        snapshot = Snapshot(self.backend.open(uri))
        values = dict(new.partition_values)
        removed = [RemoveAction(one.path, True, 0, one.size, dict(one.partition_values)) for one in old]
        snapshot.table.create_write_transaction(
            [AddAction(new.path, new.size, values, 0, False, f'{{"numRecords": {new.rows}}}'), *removed],
            mode="append",
            schema=snapshot.schema,
            partition_by=snapshot.partition_columns,
            commit_properties=CommitProperties(max_commit_retries=0, custom_metadata={"kind": "compaction"}),
        )


def is_record(source: str, offset: int) -> bool:
    """Whether there is a record at an offset, or a hole."""
    return zlib.crc32(f"{source}:{offset}".encode()) % 5 > 0


def outcomes_of(source: str, offsets: Iterable[int], chance: random.Random) -> dict[Place, str]:
    """What becomes of each record this time: e(mitted), d(ropped) or r(ejected)."""
    return {(source, offset): chance.choice("eedr") for offset in offsets if is_record(source, offset)}
