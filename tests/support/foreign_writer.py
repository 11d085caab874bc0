"""Another engine at work on a table: deltalake, without knowing anything of ours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.transaction import AddAction, RemoveAction

from trivium.delivery.delta.entry import entry_path

VALUES = {"event_date": "2026-01-01", "_runtime": "streaming"}


def write(
    uri: str,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    transactions: Mapping[str, int] | None = None,
) -> int:
    """Commit names of files that need not be there; returns the version."""
    table = DeltaTable(uri)
    table.create_write_transaction(
        [
            *(AddAction(path, 10, VALUES, 1, True, '{"numRecords": 1}') for path in add),
            *(RemoveAction(path, True, 5, 10, VALUES) for path in remove),
        ],
        mode="append",
        schema=table.schema(),
        partition_by=table.metadata().partition_columns,
        commit_properties=CommitProperties(
            max_commit_retries=0,
            app_transactions=[Transaction(name, value) for name, value in (transactions or {}).items()],
        ),
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )
    return DeltaTable(uri).version()


def append_entry(uri: str, *actions: Mapping[str, object]) -> int:
    """Put an entry with these very actions after the newest; returns its version."""
    version = DeltaTable(uri).version() + 1
    lines = [{"commitInfo": {"operation": "WRITE", "timestamp": 1}}, *actions]
    Path(uri, entry_path(version)).write_text("\n".join(map(json.dumps, lines)))
    return version


def clean_up(uri: str) -> int:
    """Write a checkpoint and erase the entries before it; returns its version."""
    table = DeltaTable(uri)
    table.create_checkpoint()
    for version in range(table.version()):
        Path(uri, entry_path(version)).unlink(missing_ok=True)
    return table.version()
