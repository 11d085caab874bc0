"""Active files whose rows of some event types go, and the rows in them that stay.

Batch writes one event type a file, so a run of some types takes away whole files. A file with several types (a
stream's, of an older table, or of another engine's compaction) is taken apart: rows of the other types are carried
over, as they are, into files that the same commit adds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from trivium.delivery.coverage.scope import Scope
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.event_types import HeldTypes
from trivium.delivery.files.lineage import EVENT_TYPE
from trivium.delivery.files.rewrite import EVENTS, Group, copied_rows
from trivium.delivery.storage.storage import Storage

RUNTIME = "batch"


@dataclass
class Replaced:
    """The files that go in one snapshot, and those that carry over what has to stay of them."""

    removed: list[ActiveFile] = field(default_factory=list)
    carried: list[DataFile] = field(default_factory=list)


class Replacement:
    """Files with rows to remove in any snapshot; what is carried over of a file is written once.

    `runtimes` are those whose rows go: a batch run replaces its own, retiring a type removes all.
    """

    def __init__(self, scope: Scope, runtimes: Collection[str] = (RUNTIME,)) -> None:
        self._scope, self._runtimes = scope, frozenset(runtimes)
        self._carried: dict[str, tuple[DataFile, ...]] = {}

    def of(self, snapshot: Snapshot) -> Replaced:
        """Return what goes in a snapshot.

        Raises:
            FileMismatch: a file with several types does not read as the table's rows; nothing was committed.
        """
        rest = _Rest(snapshot, self._scope, self._runtimes)
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
        return [file for file, _ in _Rest(snapshot, self._scope, self._runtimes).touched()]


class _Rest:
    """Files of a scope's event days in one snapshot."""

    def __init__(self, snapshot: Snapshot, scope: Scope, runtimes: frozenset[str]) -> None:
        self._snapshot, self._scope, self._runtimes = snapshot, scope, runtimes

    @cached_property
    def _storage(self) -> Storage:
        return Storage(self._snapshot.head.table_uri)

    def touched(self) -> Iterator[tuple[ActiveFile, frozenset[str]]]:
        """Yield the files that hold rows of types that go, each with all its types."""
        held = HeldTypes(self._snapshot)
        for file in self._snapshot.active.values():
            values = file.partition_values
            if values.get(EVENTS.runtime) in self._runtimes and self._scope.holds_day(values.get("event_date")):
                types = held.among(file.path, self._scope.types)
                if types:
                    yield file, types

    def carry(self, file: ActiveFile) -> tuple[DataFile, ...]:
        """Write the rows of types that stay."""
        replaced = pa.array(sorted(self._scope.types), pa.string())

        def stays(rows: pa.Table) -> pa.Array:
            return pc.invert(pc.is_in(rows[EVENT_TYPE].cast(pa.string()), replaced))

        schema = pa.schema(self._snapshot.schema.to_arrow())
        return copied_rows(self._storage, EVENTS, schema, "carried", Group(file.partition_values, (file,)), stays)
