"""Opens or creates a table that belongs to one pipeline, and keeps its schema and its checkpoints."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, PostCommitHookProperties, Schema
from deltalake.exceptions import DeltaError

from trivium.core.clock import Clock, SystemClock
from trivium.delivery.columns import MergedColumns, merged, shown, stored
from trivium.delivery.commit.widen import is_pending, widen_columns, widen_files
from trivium.delivery.delta.checkpoint_files import CheckpointHint, read_hint
from trivium.delivery.delta.checkpoint_write import write_checkpoint
from trivium.delivery.delta.durability import make_durable, make_own_durable
from trivium.delivery.delta.entry import ACTION_COUNTS, DURABLE_UP_TO
from trivium.delivery.delta.features import check_writable
from trivium.delivery.delta.handle import store_errors
from trivium.delivery.delta.log_check import check_log
from trivium.delivery.delta.misleading_files import misleading_files
from trivium.delivery.delta.snapshot import PIPELINE_PROPERTY, STATISTICS_PROPERTY, Snapshot
from trivium.delivery.errors import CommitRaceLost, SchemaConflict, StorageError, WrongPipeline
from trivium.delivery.files import lineage
from trivium.delivery.files.partition_values import check_partition_types
from trivium.delivery.files.statistics import described_columns
from trivium.delivery.storage.s3_access import storage_options
from trivium.delivery.storage.storage import Storage

_ATTEMPTS: Final = 10
_DESCRIBED_BY_DEFAULT: Final = 32  # delta.dataSkippingNumIndexedCols
_LONGEST_LOG: Final = 200
"""Entries that readers may find after a large checkpoint; each is a request, or a fraction of a millisecond."""
_ACTIONS_PER_ENTRY: Final = 500
_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableSpec:
    """The specification of a table: whose, and with which columns. `partition_columns` are in their order."""

    uri: str
    pipeline: str
    schema: pa.Schema
    partition_columns: tuple[str, ...]


def events_table(uri: str, pipeline: str, author: pa.Schema, partition_by: Sequence[str]) -> TableSpec:
    """Describe a pipeline's table: its authors' columns, `event_date` and lineage; partitioned by `_runtime` last.

    Raises:
        SchemaConflict: `partition_by` leaves out `event_date`, which is what batch replaces by, names no column, or
            one whose values would not come back as they went.
    """
    schema = lineage.table_schema(author)
    unknown = [name for name in partition_by if name not in schema.names]
    if unknown or "event_date" not in partition_by[:1]:
        message = (
            f"table {uri}: expected partition_by to start with event_date and name columns, got {list(partition_by)}"
        )
        raise SchemaConflict(message)
    check_partition_types(schema, partition_by)
    return TableSpec(uri, pipeline, schema, (*partition_by, lineage.RUNTIME.name))


def open_table(spec: TableSpec, clock: Clock | None = None) -> Snapshot:
    """Open the table, or create it; make its columns what the pipeline writes, in commits of their own.

    Nullable columns that are new are added, `not null` ones become nullable, narrow ones wider; columns that the
    pipeline does not write stay. `written_columns` says in which types its rows are to be written.

    What a power cut left torn at the end of its log is moved aside first. A table without the property that names the
    columns with statistics gets it: its files say nothing of a column that is younger, and some readers take that for
    bounds.

    Raises:
        WrongPipeline: the table belongs to another pipeline.
        UnsupportedFeature: another engine gave the table a feature that is not kept to here.
        SchemaConflict: a column has another type that cannot hold the other's values, or is new and required, or the
            partition columns differ.
    """
    check_log(spec.uri)
    for _ in range(_ATTEMPTS):
        snapshot = Snapshot.find(spec.uri)
        if snapshot is None:
            _try_create(spec)
            continue
        _check_owner(snapshot, spec)
        check_writable(snapshot.head)
        if STATISTICS_PROPERTY not in snapshot.configuration:
            _try_describe(snapshot, spec)
            continue
        columns = _merged(snapshot, spec)
        if columns.widened:
            widen_columns(spec.uri, spec.pipeline, spec.schema, clock or SystemClock())
        elif is_pending(snapshot, spec.pipeline):
            widen_files(spec.uri, spec.pipeline, clock or SystemClock())
        elif changed := [*columns.added, *columns.relaxed]:
            _try_add(snapshot, spec, changed)
        else:
            return snapshot
    message = (
        f"table {spec.uri}: {_ATTEMPTS} attempts to create it or add columns lost to other writers. Try: start again"
    )
    raise CommitRaceLost(message)


def written_columns(snapshot: Snapshot, author: pa.Schema) -> pa.Schema:
    """Return a pipeline's columns in the types in which an open table takes them: its own, or the table's wider."""
    written = merged(snapshot.schema, lineage.table_schema(author)).written
    return pa.schema([written.field(name) for name in author.names])


def checkpoint_if_due(uri: str, every: int = 20) -> None:
    """Write a checkpoint, durably, when the log is long, whoever wrote it. A failure is only a warning.

    It is long at `every` entries after the last checkpoint; at more of them if that one was large, since the next will
    be too: so what checkpoints cost for a commit does not grow with the table.
    """
    try:
        snapshot, found = Snapshot.latest(uri), read_hint(Storage(uri))
        last = found if isinstance(found, CheckpointHint) else CheckpointHint(-1, None, None, synced=False)
        if snapshot.version - last.version >= max(every, min(_LONGEST_LOG, (last.actions or 0) // _ACTIONS_PER_ENTRY)):
            write_checkpoint(uri, snapshot)
    except Exception as error:  # noqa: BLE001 - the table is whole without a checkpoint, only slower to open
        _log.warning("%s: no checkpoint was written: %s", uri, error)


def _try_create(spec: TableSpec) -> None:
    Storage(spec.uri).make_root()
    try:
        with store_errors(spec.uri):
            DeltaTable.create(
                spec.uri,
                schema=Schema.from_arrow(stored(spec.schema)),
                partition_by=list(spec.partition_columns),
                name=spec.pipeline,
                description=f"Written by the Trivium pipeline {spec.pipeline}",
                # The log's clean-up belongs to maintenance, which first saves the counts it would erase.
                configuration={
                    PIPELINE_PROPERTY: spec.pipeline,
                    STATISTICS_PROPERTY: described_columns(spec.schema, spec.partition_columns),
                    "delta.enableExpiredLogCleanup": "false",
                },
                raise_if_key_not_exists=False,
                commit_properties=CommitProperties(
                    max_commit_retries=0, custom_metadata={ACTION_COUNTS: json.dumps({"protocol": 1, "metaData": 1})}
                ),
                post_commithook_properties=_NO_HOOKS,
                storage_options=storage_options(spec.uri),
            )
    except (DeltaError, StorageError) as error:
        if Snapshot.find(spec.uri) is None:
            raise
        _log.info("%s: the table is there, whoever created it: %s", spec.uri, error)
        return
    make_own_durable(spec.uri, 0)


def _check_owner(snapshot: Snapshot, spec: TableSpec) -> None:
    if snapshot.pipeline != spec.pipeline:
        owner = f"pipeline {snapshot.pipeline!r}" if snapshot.pipeline else "no Trivium pipeline"
        message = f"table {spec.uri} belongs to {owner}, not to {spec.pipeline!r}. Try: another table path"
        raise WrongPipeline(message)


def _merged(snapshot: Snapshot, spec: TableSpec) -> MergedColumns:
    """Return what the table's columns have to become.

    Raises:
        SchemaConflict: they cannot become what the pipeline writes.
    """
    columns = merged(snapshot.schema, spec.schema)
    reasons = [f"column {each.column} {each.reason}" for each in columns.conflicts]
    if tuple(snapshot.partition_columns) != spec.partition_columns:
        reasons.append(
            f"partition columns: table {snapshot.partition_columns}, pipeline {list(spec.partition_columns)}"
        )
    if reasons:
        wanted = Schema.from_arrow(stored(spec.schema)).fields
        raise SchemaConflict(_conflict(spec.uri, reasons, list(snapshot.schema.fields), list(wanted)))
    return columns


def _conflict(uri: str, reasons: list[str], present: list[Field], wanted: list[Field]) -> str:
    order = [*present, *(field for field in wanted if field.name not in {one.name for one in present})]
    lines = [f"table {uri} cannot become what the pipeline writes: {'; '.join(reasons)}"]
    lines.append(f"  {'table':<52} pipeline")
    for name in (field.name for field in order):
        left, right = (_column(name, fields) for fields in (present, wanted))
        mark = "*" if any(f"column {name} " in reason for reason in reasons) else " "
        lines.append(f"{mark} {left:<52} {right}")
    lines.append("Try: give the column another name, or write to a new table path")
    return "\n".join(lines)


def _column(name: str, fields: list[Field]) -> str:
    found = next((field for field in fields if field.name == name), None)
    return "-" if found is None else f"{name}: {shown(found)}"


def _try_describe(snapshot: Snapshot, spec: TableSpec) -> None:
    # Of a table without the property readers look at the first columns only: its files may mislead about the others.
    looked_at = pa.schema(list(pa.schema(snapshot.schema.to_arrow()))[:_DESCRIBED_BY_DEFAULT])
    described = described_columns(looked_at, snapshot.partition_columns)
    changed = snapshot.version + 1
    make_durable(spec.uri, snapshot.version)
    try:
        with store_errors(spec.uri):
            snapshot.table.alter.set_table_properties(
                {STATISTICS_PROPERTY: described},
                raise_if_not_exists=False,
                commit_properties=_on(snapshot),
                post_commithook_properties=_NO_HOOKS,
            )
    except (DeltaError, StorageError) as error:
        _log.info("%s: setting %s did not land, trying again: %s", spec.uri, STATISTICS_PROPERTY, error)
        return
    make_own_durable(spec.uri, changed)
    misleading = misleading_files(Snapshot.latest(spec.uri))
    if misleading:
        problem = "files have statistics, written by an earlier release, that make readers skip rows"
        _log.warning("%s: %d %s. Try: trivium maintain, which rewrites them", spec.uri, len(misleading), problem)


def _try_add(snapshot: Snapshot, spec: TableSpec, new: list[Field]) -> None:
    added = snapshot.version + 1  # adding columns moves the handle itself; a column that is there is merged
    make_durable(spec.uri, snapshot.version)
    try:
        with store_errors(spec.uri):
            snapshot.table.alter.add_columns(
                new,
                commit_properties=_on(snapshot),
                post_commithook_properties=_NO_HOOKS,
            )
    except (DeltaError, StorageError) as error:
        _log.info("%s: adding columns did not land, trying again: %s", spec.uri, error)
        return
    make_own_durable(spec.uri, added)


def _on(snapshot: Snapshot) -> CommitProperties:
    """Return the properties of a commit of metadata alone on a version that is durable; see `entry`."""
    marks = {ACTION_COUNTS: json.dumps({"metaData": 1}), DURABLE_UP_TO: str(snapshot.version)}
    return CommitProperties(max_commit_retries=0, custom_metadata=marks)
