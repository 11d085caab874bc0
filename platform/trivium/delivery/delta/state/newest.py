"""The newest version of a table, read whole once a process and from then on entry by entry.

The whole state comes from the newest checkpoint that can be read, of which only the needed columns are, and the entries
after it. A process that keeps it reads what follows the version it knows, so that looking at a table costs the same
whatever its number of files and versions. It starts anew where that is not enough: the entry it knows is not the same
any more (the table was made anew, its log was mended or cleaned up), the table's columns, properties or features
changed, an entry is torn, or the hint names a version that no entry leads to.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from trivium.delivery.delta.checkpoint_files import Checkpoint, checkpoints_among, hinted_version
from trivium.delivery.delta.entry import LOG, LogEntry, entry_path, read_entry
from trivium.delivery.delta.handle import open_delta
from trivium.delivery.delta.log_check import check_whole_log
from trivium.delivery.delta.state.active_files import ActiveFiles
from trivium.delivery.delta.state.log_state import KeptHead, LogState
from trivium.delivery.errors import LogBroken, StorageError
from trivium.delivery.storage.storage import Storage, StoredFile

_ATTEMPTS: Final = 5
_READERS: Final = 8  # an object store answers many small reads at once
_TABLES: Final = 8
_FURTHEST: Final = 200
"""Entries to read one by one; who is further behind reads the checkpoint, if there is one."""
_COLUMNS: Final = ("add.path", "add.size", "add.partitionValues", "txn.appId", "txn.version")
_FILE_COLUMNS: Final = pa.schema(
    [("path", pa.string()), ("size", pa.int64()), ("partitionValues", pa.map_(pa.string(), pa.string()))]
)


@dataclass(frozen=True)
class _Kept:
    """A state, and its version's entry as it was then: a table made anew has another."""

    state: LogState
    entry: StoredFile


_kept: dict[str, _Kept] = {}
"""The tables this process looked at last, the latest at the end."""
_keeping: Final = Lock()


def newest(uri: str) -> tuple[LogState, DeltaTable | None]:
    """Return the newest version; with the table, if it had to be opened for that.

    Raises:
        deltalake.exceptions.TableNotFoundError: there is no table.
        StorageError, LogBroken, UnsupportedFeature: see `open_delta`.
    """
    kept = _kept.get(uri)
    state = None if kept is None else _brought_up(uri, kept)
    return _read_whole(uri) if state is None else (state, None)


def follow(uri: str, before: LogState, entry: LogEntry) -> None:
    """Take in an entry that this process put right after the version `before`: it is not read again."""
    _keep(uri, before.followed_by([entry]))


def read_state(storage: Storage, table: DeltaTable) -> LogState | None:
    """Return the state of a table at its version, or None if its log does not lead there (any more)."""
    version, head = table.version(), KeptHead(table)
    for checkpoint in (*checkpoints_among(storage.names(LOG)), None):
        if checkpoint is not None and (checkpoint.version > version or not checkpoint.complete):
            continue
        base = LogState(-1, head, ActiveFiles.none(tuple(head.metadata().partition_columns)), {})
        try:
            base = base if checkpoint is None else _read_checkpoint(storage, checkpoint, head)
        except (pa.ArrowException, OSError, StorageError):
            continue  # torn, or cleaned up meanwhile: readers get along with an older one
        entries = list(_entries(storage, base.version + 1, version))
        return base.followed_by(entries) if base.version + len(entries) == version else None
    return None


def _brought_up(uri: str, kept: _Kept) -> LogState | None:
    """Return the newest version, or None where entries alone do not lead there from the one that is kept."""
    storage, state = Storage(uri), kept.state
    if storage.stat(kept.entry.path) != kept.entry:
        return None
    entries: list[LogEntry] = []
    while (entry := _find(storage, state.version + 1 + len(entries))) is not None:
        if entry.damage is not None:
            check_whole_log(uri)
        if entry.damage or entry.unknown or entry.changes_table or len(entries) == _FURTHEST:
            return None
        entries.append(entry)
    hinted = hinted_version(storage)
    if hinted is not None and hinted > state.version + len(entries):
        return None
    if entries:
        state = state.followed_by(entries)
        _keep(uri, state)
    return state


def _find(storage: Storage, version: int) -> LogEntry | None:
    """Return an entry, if it is there; most often it is not, which a look at it says sooner."""
    return None if storage.stat(entry_path(version)) is None else read_entry(storage, version)


def _read_whole(uri: str) -> tuple[LogState, DeltaTable]:
    for _ in range(_ATTEMPTS):
        table = open_delta(uri)
        state = read_state(Storage(uri), table)
        if state is not None:
            _keep(uri, state)
            return state, table
        check_whole_log(uri)  # else a clean-up was faster, or another writer mended the log
    message = f"table {uri}: its log changed or could not be read during each of {_ATTEMPTS} reads"
    raise LogBroken(f"{message}. Try: again; then look at _delta_log")


def _keep(uri: str, state: LogState) -> None:
    entry = Storage(uri).stat(entry_path(state.version))
    with _keeping:
        _kept.pop(uri, None)
        if entry is not None:  # else the log's clean-up was faster
            _kept[uri] = _Kept(state, entry)
        while len(_kept) > _TABLES:
            del _kept[next(iter(_kept))]


def _entries(storage: Storage, first: int, last: int) -> Iterator[LogEntry]:
    """Yield the entries of these versions up to the first that is not there, not whole, or not understood."""
    with ThreadPoolExecutor(_READERS, thread_name_prefix="log-entries") as pool:
        for entry in pool.map(lambda version: read_entry(storage, version), range(first, last + 1)):
            if entry is None or entry.damage or entry.unknown:
                return
            yield entry


def _read_checkpoint(storage: Storage, checkpoint: Checkpoint, head: KeptHead) -> LogState:
    columns = tuple(head.metadata().partition_columns)
    files: list[pa.Table] = []
    transactions: dict[str, int] = {}
    for path in checkpoint.paths:
        with storage.open(path) as stream:
            actions = pq.ParquetFile(stream).read(list(_COLUMNS))
        files.append(_struct(actions, "add").select(_FILE_COLUMNS.names).cast(_FILE_COLUMNS))
        if "txn" in actions.column_names:
            named = _struct(actions, "txn")
            transactions.update(zip(named["appId"].to_pylist(), named["version"].to_pylist(), strict=True))
    return LogState(checkpoint.version, head, ActiveFiles.of_actions(columns, pa.concat_tables(files)), transactions)


def _struct(actions: pa.Table, kind: str) -> pa.Table:
    """Return the actions of a kind as a table of their fields."""
    of_kind = actions[kind].drop_null()
    return pa.Table.from_struct_array(of_kind) if len(of_kind) else pa.schema(of_kind.type).empty_table()
