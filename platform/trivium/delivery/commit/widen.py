"""Widening: columns of a table get a type that holds more, and files that have them are written anew.

1. Commit the wider columns, and that files are to follow. Readers take the narrow files' values as the wide type's.
2. Write every narrow file anew and commit all of them as the same rows, and that nothing is to follow.

A start that finds 1 without 2, killed between them, goes on with 2. Delta's own type widening is a feature that many
readers do not have; files in the table's types are read by all.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from trivium.core.clock import Clock
from trivium.delivery.columns import merged, widens
from trivium.delivery.commit.committer import Change, commit, metadata_text
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.rewrite import EVENTS, Group, copied_rows
from trivium.delivery.storage.storage import Storage

_log = logging.getLogger(__name__)


@dataclass
class WiderColumns:
    """The columns of a table, wide enough for those of a pipeline."""

    pipeline: str
    wanted: pa.Schema
    fault_point: str | None = "widen.columns"

    def change(self, snapshot: Snapshot) -> Change:
        """Return the wider columns, with the note that files follow."""
        columns = merged(snapshot.schema, self.wanted)
        pending = {transactions.widening(self.pipeline): 1}
        metadata = {"kind": "widen", "columns": metadata_text(columns.widened)}
        return Change(transactions=pending, metadata=metadata, data_change=False, schema=columns.columns)

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether the columns are wide enough, whoever made them so."""
        return not merged(snapshot.schema, self.wanted).widened


@dataclass
class WiderFiles:
    """Files in the types of the table's columns, for those that are narrower; what was written of a file is kept."""

    pipeline: str
    fault_point: str | None = "widen.files"
    _written: dict[str, tuple[DataFile, ...]] = field(default_factory=dict, repr=False)

    def change(self, snapshot: Snapshot) -> Change:
        """Return the narrow files of this snapshot and those that replace them.

        Raises:
            FileMismatch: a file does not read as the table's rows; nothing was committed.
        """
        schema, storage = pa.schema(snapshot.schema.to_arrow()), Storage(snapshot.head.table_uri)
        narrow = [file for file in snapshot.active.values() if _is_narrow(storage, file, schema)]
        for file in narrow:
            if file.path not in self._written:
                group = Group(file.partition_values, (file,))
                self._written[file.path] = copied_rows(storage, EVENTS, schema, "widened", group)
        added = tuple(new for file in narrow for new in self._written[file.path])
        done = {transactions.widening(self.pipeline): 0}
        metadata = {"kind": "widen_files", "files": str(len(narrow))}
        return Change(added, tuple(narrow), done, metadata, data_change=False)

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether nothing follows any more, whoever wrote the files."""
        return not is_pending(snapshot, self.pipeline)


def is_pending(snapshot: Snapshot, pipeline: str) -> bool:
    """Return whether columns are wider than files may be."""
    return snapshot.transaction(transactions.widening(pipeline)) == 1


def widen_columns(uri: str, pipeline: str, wanted: pa.Schema, clock: Clock) -> None:
    """Make a table's columns wide enough (step 1); `widen_files` has to follow.

    Raises:
        PreconditionFailed, CommitRaceLost, OutcomeUnknown: see `committer.commit`.
    """
    commit(uri, WiderColumns(pipeline, wanted), clock)


def widen_files(uri: str, pipeline: str, clock: Clock) -> None:
    """Write the files anew that are narrower than the table's columns (step 2).

    Raises:
        FileMismatch: a file does not read as the table's rows; nothing was committed.
        PreconditionFailed, CommitRaceLost, OutcomeUnknown: see `committer.commit`.
    """
    _log.warning("%s: columns got a wider type; the files that have them are written anew", uri)
    commit(uri, WiderFiles(pipeline), clock)


def _is_narrow(storage: Storage, file: ActiveFile, schema: pa.Schema) -> bool:
    with storage.open(file.path) as stream:
        held = pq.read_schema(stream)
    return any(name in held.names and widens(held.field(name).type, schema.field(name).type) for name in schema.names)
