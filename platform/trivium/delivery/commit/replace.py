"""Batch's active files that a run replaces, and the rows in them that are not its own to replace.

Batch writes one event type a file, so a run of some types takes away whole files. A file with several types (of an
older table, or of another engine's compaction) is taken apart: rows of types that the run does not replace are carried
over, as they are, into files that the same commit adds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from trivium.delivery.coverage.scope import Scope
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.files.data_file import DataFile, validate
from trivium.delivery.files.event_types import single_types, types_in
from trivium.delivery.files.lineage import EVENT_TYPE
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.files.rewrite import EVENTS, rows_of_file
from trivium.delivery.storage.storage import Storage

RUNTIME = "batch"


@dataclass
class Replaced:
    """The files that go in one snapshot, and those that carry over what has to stay of them."""

    removed: list[ActiveFile] = field(default_factory=list)
    carried: list[DataFile] = field(default_factory=list)


class Replacement:
    """A run's answer to what it replaces, for any snapshot; what was carried over of a file is written once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._carried: dict[str, tuple[DataFile, ...]] = {}

    def of(self, snapshot: Snapshot) -> Replaced:
        """Return what this run replaces in a snapshot.

        Raises:
            FileMismatch: a file with several types does not read as the table's rows; nothing was committed.
        """
        rest = _Rest(snapshot, self._scope)
        found = Replaced()
        for file, types in rest.touched():
            found.removed.append(file)
            if not types <= self._scope.types:
                if file.path not in self._carried:
                    self._carried[file.path] = rest.carry(file)
                found.carried.extend(self._carried[file.path])
        return found

    def removed(self, snapshot: Snapshot) -> list[ActiveFile]:
        """Return the files that hold rows to replace, those included of which other rows stay."""
        return [file for file, _ in _Rest(snapshot, self._scope).touched()]


class _Rest:
    """Batch's files of a scope's event days in one snapshot."""

    def __init__(self, snapshot: Snapshot, scope: Scope) -> None:
        self._snapshot, self._scope = snapshot, scope

    @cached_property
    def _storage(self) -> Storage:
        return Storage(self._snapshot.table.table_uri)

    @cached_property
    def _single(self) -> dict[str, str]:
        return single_types(self._snapshot)

    def touched(self) -> Iterator[tuple[ActiveFile, frozenset[str]]]:
        """Yield the files that hold rows of types to replace, each with all its types."""
        for file in self._snapshot.active.values():
            values = file.partition_values
            if values.get("_runtime") == RUNTIME and self._scope.holds_day(values.get("event_date")):
                types = self._types(file)
                if not types.isdisjoint(self._scope.types):
                    yield file, types

    def _types(self, file: ActiveFile) -> frozenset[str]:
        known = self._single.get(file.path)
        return types_in(self._storage, file.path) if known is None else frozenset({known})

    def carry(self, file: ActiveFile) -> tuple[DataFile, ...]:
        """Write the rows of types that stay."""
        schema = pa.schema(self._snapshot.schema.to_arrow())
        folders = [name for name in file.partition_values if name != EVENTS.runtime]
        constants = {EVENTS.runtime: RUNTIME}
        writer = PartitionedFiles(self._storage, schema, folders, "carried", constants, apart=(EVENT_TYPE,))
        replaced = pa.array(sorted(self._scope.types), pa.string())
        try:
            for rows in rows_of_file(self._storage, file, schema, EVENTS.runtime):
                stays = pc.invert(pc.is_in(rows[EVENT_TYPE].cast(pa.string()), replaced))
                writer.write(rows.filter(stays))
            files = tuple(replace(each, partition_values=dict(file.partition_values)) for each in writer.close())
        except BaseException:
            writer.abandon()
            raise
        validate(self._storage, files, schema)
        return files
