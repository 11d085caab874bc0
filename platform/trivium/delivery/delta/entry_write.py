"""Writes the entry that follows a version, unless another writer put one there first.

On a file system the entry is written here: aside, then linked to its name, which one writer alone can do. So it costs
what it says, however many files the table has. On S3 deltalake writes it, since Arrow has no conditional puts, and
where the columns change, which is rare; it opens the table for that, which takes the longer the more files it has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from deltalake import CommitProperties, PostCommitHookProperties, Schema
from deltalake import Transaction as DeltaTransaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from trivium.core.clock import SystemClock
from trivium.delivery.delta.entry import AddedFile, LogEntry, RemovedFile, Transaction, entry_path, entry_text
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import AlreadyThere
from trivium.delivery.storage.storage import Storage

_ENGINE: Final = "trivium"


@dataclass(frozen=True)
class NewEntry:
    """The content of an entry to write; `metadata` is kept with it, as text. `schema` are new columns of the table."""

    added: tuple[AddedFile, ...]
    removed: tuple[RemovedFile, ...]
    transactions: tuple[Transaction, ...]
    metadata: Mapping[str, str]
    schema: Schema | None = None


def write_entry(uri: str, snapshot: Snapshot, entry: NewEntry) -> None:
    """Write the entry of the version after the snapshot's.

    Raises:
        AlreadyThere, deltalake.exceptions.CommitFailedError: another writer was first.
        StorageError, deltalake.exceptions.DeltaError: the storage refused, or did not answer.
    """
    storage = Storage(uri)
    if storage.durable_once_written or entry.schema is not None:
        _through_deltalake(snapshot, entry)
        return
    partitions = json.dumps(snapshot.partition_columns)
    # The machine's time, as deltalake has it, for entry and file alike: history shows one, `--as-of` goes by the other.
    now_ms = SystemClock().now_us() // 1000
    info = {
        "timestamp": now_ms,
        "operation": "WRITE",
        "operationParameters": {"mode": "Append", "partitionBy": partitions},
        "engineInfo": _ENGINE,
        **entry.metadata,
    }
    content = entry_text(info, entry.added, entry.removed, entry.transactions)
    storage.put_new(entry_path(snapshot.version + 1), content, now_ms * 1000)
    snapshot.follow(LogEntry(added=entry.added, removed=entry.removed, transactions=entry.transactions))


def lost(error: Exception) -> bool:
    """Return whether the error says that another writer was first."""
    return isinstance(error, (AlreadyThere, CommitFailedError))


def _through_deltalake(snapshot: Snapshot, entry: NewEntry) -> None:
    actions: list[AddAction | RemoveAction] = [
        AddAction(
            path=unquote(each.path),
            size=each.size,
            partition_values=each.partition_values,
            modification_time=each.modification_time,
            data_change=each.data_change,
            stats=each.stats or "",
        )
        for each in entry.added
    ]
    actions += [
        RemoveAction(
            path=unquote(each.path),
            data_change=bool(each.data_change),
            deletion_timestamp=each.deletion_timestamp or 0,
            size=each.size,
            partition_values=dict(each.partition_values or {}),
        )
        for each in entry.removed
    ]
    snapshot.table.create_write_transaction(
        actions,
        # Only an overwrite takes another schema along; one of no partition that there is removes nothing by itself.
        mode="append" if entry.schema is None else "overwrite",
        partition_filters=None if entry.schema is None else [(snapshot.partition_columns[-1], "=", "\0")],
        schema=entry.schema or snapshot.schema,
        partition_by=snapshot.partition_columns,
        commit_properties=CommitProperties(
            max_commit_retries=0,
            custom_metadata=dict(entry.metadata),
            app_transactions=[DeltaTransaction(each.app_id, each.version) for each in entry.transactions],
        ),
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )
