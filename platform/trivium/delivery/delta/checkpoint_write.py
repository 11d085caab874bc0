"""Writes checkpoints that a power cut cannot leave torn under a hint that says they are whole.

deltalake writes the checkpoint and the hint at once and syncs neither. So the entries that the checkpoint repeats are
made durable first; then the checkpoint is synced, and only then a hint is published that says so (`SYNCED_TAG`, among
the tags that Delta leaves to writers). A cut in between leaves deltalake's own hint, which the next opening checks.
"""

from __future__ import annotations

import json

from trivium.delivery.delta.checkpoint_files import HINT, SYNCED_TAG, hinted_version
from trivium.delivery.delta.durability import make_durable
from trivium.delivery.delta.entry import LOG
from trivium.delivery.delta.handle import store_errors
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.storage.storage import Storage


def write_checkpoint(uri: str, snapshot: Snapshot) -> None:
    """Write a checkpoint of a table at this version, unless there is one, and make it and its hint durable.

    Raises:
        StorageError: the storage refused.
        deltalake.exceptions.DeltaError: deltalake could not write it.
    """
    storage, version = Storage(uri), snapshot.version
    path = f"{LOG}/{version:020}.checkpoint.parquet"
    if storage.stat(path) is not None:
        storage.sync(path)
        _sync_hint(storage)
        return
    make_durable(uri, version)
    with store_errors(uri):
        snapshot.table.create_checkpoint()
    if not storage.durable_once_written:
        storage.sync(path)
        _publish_hint(storage, version)


def _publish_hint(storage: Storage, version: int) -> None:
    if hinted_version(storage) != version:
        _sync_hint(storage)  # somebody's newer checkpoint: readers are to begin there
        return
    document = json.loads(storage.read(HINT))
    tags = {**(document.get("tags") or {}), SYNCED_TAG: "true"}
    storage.publish(HINT, json.dumps({**document, "tags": tags}, separators=(",", ":")).encode())


def _sync_hint(storage: Storage) -> None:
    if storage.stat(HINT) is not None:
        storage.sync(HINT)
