"""THE one commit place: every change of a table's content or positions goes through `commit`.

Each attempt is numbered the same way:

1. Take a fresh snapshot.
2. If an earlier attempt ended without an answer, or lost: does the snapshot carry our commit? Then it has landed.
3. Prove that no feature of the table is broken by writing. Ask the proposal for its change against this very snapshot;
   it checks its preconditions and recomputes its removals.
4. Check what holds for every change: removed paths are active, added ones are not, and are on storage.
5. Make the log durable up to the version of step 1, whoever wrote its entries.
6. Commit once: the library's own retries and hooks are off, and it loses if anyone committed since step 1.
7. Landed: sync the log entry and its directory. Lost, or any other error: wait with jitter and start again at 1.

Data files are durable before (they are when closed). Nothing is ever deleted here; maintenance collects orphans.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import msgspec
import pyarrow as pa
from deltalake import Schema

from trivium.core.clock import Clock
from trivium.core.errors import DeliveryError
from trivium.core.fault_points import reach
from trivium.delivery.columns import same_type, shown, stored
from trivium.delivery.delta.durability import make_durable, make_own_durable
from trivium.delivery.delta.entry import (
    ACTION_COUNTS,
    DURABLE_UP_TO,
    AddedFile,
    RemovedFile,
    Transaction,
    logged_path,
)
from trivium.delivery.delta.entry_write import NewEntry, lost, write_entry
from trivium.delivery.delta.features import check_replaceable, check_writable
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.errors import CommitRaceLost, OutcomeUnknown, PreconditionFailed
from trivium.delivery.files.data_file import DataFile, check_presence
from trivium.delivery.storage.storage import Storage

_ATTEMPTS: Final = 12
_FIRST_WAIT_SECONDS: Final = 0.05
_LONGEST_WAIT_SECONDS: Final = 2.0
_ENCODER: Final = msgspec.json.Encoder(order="sorted")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """The change that one attempt commits, computed from one snapshot. `metadata` is kept with the commit, as text.

    `data_change` is Delta's dataChange: false when the same rows are only arranged in other files. `schema` is what the
    table's columns become, None: they stay. `columns` are those that the added files were written for.
    """

    add: tuple[DataFile, ...] = ()
    remove: tuple[ActiveFile, ...] = ()
    transactions: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    data_change: bool = True
    schema: Schema | None = None
    columns: pa.Schema | None = None


class Proposal(Protocol):
    """Something to commit, whatever the table looks like by then."""

    @property
    def fault_point(self) -> str | None:
        """Prefix of the fault points around the commit; None: there are none."""

    def change(self, snapshot: Snapshot) -> Change:
        """Return what to commit on top of this snapshot.

        Raises:
            PreconditionFailed: the snapshot forbids it.
        """

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether this snapshot carries the proposal's commit and nobody else's."""


@dataclass(frozen=True)
class Landed:
    """A commit that is in the table: a version at which it is visible, and how many attempts it took."""

    version: int
    attempts: int


def commit(uri: str, proposal: Proposal, clock: Clock) -> Landed:
    """Commit a proposal, against a fresh snapshot each time, until it has landed (see the module for the steps).

    Raises:
        PreconditionFailed: nothing was committed by this attempt, and nothing will be.
        UnsupportedFeature: another engine gave the table a feature that is not kept to here; nothing was committed.
        FileMismatch: a file to add is not on storage any more; nothing was committed.
        CommitRaceLost: other writers won every attempt.
        OutcomeUnknown: an attempt ended without an answer and the table cannot be read to find out.
    """
    doubt: Exception | None = None
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            snapshot = Snapshot.latest(uri)  # step 1
        except Exception as error:
            if doubt is None:
                raise
            doubt = error
            _wait(clock, attempt)
            continue
        if doubt is not None and proposal.landed(snapshot):  # step 2
            make_durable(uri, snapshot.version)
            return Landed(snapshot.version, attempt)
        check_writable(snapshot.head)  # step 3
        change = proposal.change(snapshot)
        _check(uri, snapshot, change)  # step 4
        make_durable(uri, snapshot.version)  # step 5
        try:
            _commit_once(uri, snapshot, _numbered(change, attempt), clock, proposal.fault_point)  # step 6
        except Exception as error:  # noqa: BLE001 - whatever it was, only the table knows whether the commit landed
            doubt = error
            _log.info("%s: attempt %d on version %d: %s: %s", uri, attempt, snapshot.version, _outcome(error), error)
            _wait(clock, attempt)
            continue
        make_own_durable(uri, snapshot.version + 1)  # step 7
        return Landed(snapshot.version + 1, attempt)
    raise _given_up(uri, proposal, doubt)


def _numbered(change: Change, attempt: int) -> Change:
    """Put the number of the attempt into the metadata: lost races can be counted from the log."""
    return replace(change, metadata={**change.metadata, "attempt": str(attempt)})


def _commit_once(uri: str, snapshot: Snapshot, change: Change, clock: Clock, fault_point: str | None) -> None:
    counts = {"add": len(change.add), "remove": len(change.remove), "txn": len(change.transactions)}
    marks = {ACTION_COUNTS: metadata_text(counts), DURABLE_UP_TO: str(snapshot.version)}
    entry = NewEntry(
        added=_additions(uri, change),
        removed=_removals(snapshot, change, clock.now_us() // 1000),
        transactions=tuple(Transaction(name, value) for name, value in change.transactions.items()),
        metadata={**change.metadata, **marks},
        schema=change.schema,
    )
    if fault_point:
        reach(f"{fault_point}.before_commit")
    write_entry(uri, snapshot, entry)
    if fault_point:
        reach(f"{fault_point}.after_commit")


def metadata_text(value: object) -> str:
    """Return plain data as a commit's metadata keep it: JSON with sorted keys."""
    return _ENCODER.encode(value).decode()


def _additions(uri: str, change: Change) -> tuple[AddedFile, ...]:
    storage = Storage(uri)
    return tuple(
        AddedFile(
            path=logged_path(file.path),
            partition_values=file.partition_values,
            size=file.size,
            modification_time=found.modified_us // 1000 if (found := storage.stat(file.path)) else 0,
            data_change=change.data_change,
            stats=file.statistics or metadata_text({"numRecords": file.rows}),
        )
        for file in change.add
    )


def _removals(snapshot: Snapshot, change: Change, now_ms: int) -> tuple[RemovedFile, ...]:
    active = [snapshot.active[file.path] for file in change.remove]
    return tuple(
        RemovedFile(
            path=file.logged or logged_path(file.path),
            data_change=change.data_change,
            deletion_timestamp=now_ms,
            extended_file_metadata=True,
            partition_values=file.partition_values,
            size=file.size,
        )
        for file in active
    )


def _check(uri: str, snapshot: Snapshot, change: Change) -> None:
    where = f"table {uri} at version {snapshot.version}"
    gone = [file.path for file in change.remove if file.path not in snapshot.active]
    if gone:
        message = f"{where}: expected every file to remove to be active, {gone[0]} is not; nothing was committed"
        raise PreconditionFailed(message)
    if change.remove and change.data_change:
        check_replaceable(snapshot.head)
    paths = [file.path for file in change.add]
    twice = [path for path, times in Counter(paths).items() if times > 1 or path in snapshot.active]
    if twice:
        message = f"{where}: {twice[0]} would be added a second time; names are used once; nothing was committed"
        raise PreconditionFailed(message)
    _check_types(where, snapshot, change)
    columns = set(snapshot.partition_columns)
    for file in change.add:
        if set(file.partition_values) != columns:
            message = f"{where}: {file.path}: expected partition values {sorted(columns)}, got {file.partition_values}"
            raise PreconditionFailed(message)
        check_presence(Storage(uri), file)


def _check_types(where: str, snapshot: Snapshot, change: Change) -> None:
    """Prove that the files were written in the types that the table's columns still have."""
    there = {field.name: field for field in snapshot.schema.fields}
    for column in Schema.from_arrow(stored(change.columns)).fields if change.columns is not None else ():
        known = there.get(column.name)
        if known is None or not same_type(known, column):
            now = "no such column" if known is None else shown(known)
            message = f"{where}: column {column.name} has become {now}, these files were written for {shown(column)}"
            raise PreconditionFailed(f"{message}; nothing was committed. Try: start again")


def _wait(clock: Clock, attempt: int) -> None:
    longest = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**attempt)
    clock.sleep(random.uniform(0.0, longest))


def _outcome(error: Exception) -> str:
    return "failed, another writer was first" if lost(error) else "unknown"


def _given_up(uri: str, proposal: Proposal, doubt: Exception | None) -> DeliveryError:
    try:
        visible = proposal.landed(Snapshot.latest(uri))
    except Exception:  # noqa: BLE001 - the table cannot be read: that is the answer
        visible = True
    if visible:
        message = f"table {uri}: a commit ended without an answer ({doubt}). Try: look at the table, then run again"
        return OutcomeUnknown(message)
    message = f"table {uri}: {_ATTEMPTS} attempts to commit failed, nothing was committed; the last: {doubt}"
    lost = CommitRaceLost(f"{message}. Try: fewer writers at a time, or check the storage; then run again")
    lost.__cause__ = doubt
    return lost
