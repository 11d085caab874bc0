"""Batch's commit: its own files of some event days replaced, and all that counts moved along, in one log entry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from trivium.contract.clock import Clock
from trivium.delivery import transactions
from trivium.delivery.committer import Change, Landed, commit
from trivium.delivery.data_files import DataFile, validate
from trivium.delivery.errors import PreconditionFailed
from trivium.delivery.generation import check_generation
from trivium.delivery.snapshot import ActiveFile, Snapshot
from trivium.delivery.storage import Storage

RUNTIME = "batch"


@dataclass(frozen=True)
class Window:
    """Event dates from `start` (included) to `end` (not included)."""

    start: date
    end: date

    def holds(self, day: str | None) -> bool:
        """Whether an ISO date lies in the window."""
        return day is not None and self.start.isoformat() <= day < self.end.isoformat()

    def days(self) -> list[date]:
        """Every day in the window."""
        return [self.start + timedelta(days=number) for number in range((self.end - self.start).days)]

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"


@dataclass(frozen=True)
class BatchCommit:
    """What a batch run commits.

    `window` None means all event days. `source_days` are the source's days in the window as ISO dates
    (`transactions.ALL_DAYS` alone when the source has none); dead letters of these days are replaced by this run's.
    `complete_as_of` maps covered event days (ISO) to microseconds since 1970 UTC. `balance` holds, per event type, the
    counts of read, emitted, dropped, rejected and out of window.
    """

    pipeline: str
    generation: int
    window: Window | None
    files: tuple[DataFile, ...]
    source_days: tuple[str, ...]
    complete_as_of: Mapping[str, int]
    balance: Mapping[str, Mapping[str, int]]
    logic: str
    plan: str
    fault_point: str | None = field(default="table", init=False)

    def change(self, snapshot: Snapshot) -> Change:
        """The files to add, batch's active files of the window to remove, and the transactions, for this snapshot.

        Raises:
            Fenced: a newer run took over.
            PreconditionFailed: this generation committed already, or a file lies outside the window.
        """
        check_generation(snapshot, self.pipeline, RUNTIME, self.generation)
        committed = snapshot.transaction(transactions.committed(self.pipeline)) or 0
        if committed >= self.generation:
            message = f"{self.pipeline}/batch: generation {committed} is committed, {self.generation} comes too late"
            raise PreconditionFailed(f"{message}; nothing was committed. Try: start a new run")
        outside = [file.path for file in self.files if not self._in_window(file.partition_values.get("event_date"))]
        if outside:
            message = (
                f"{self.pipeline}/batch: {outside[0]} lies outside the window {self.window}; nothing was committed"
            )
            raise PreconditionFailed(message)
        return Change(self.files, self._replaced(snapshot), self._transactions(snapshot), self._metadata())

    def landed(self, snapshot: Snapshot) -> bool:
        """Whether this run's commit is the newest batch commit of the snapshot."""
        return snapshot.transaction(transactions.committed(self.pipeline)) == self.generation

    def _in_window(self, day: str | None) -> bool:
        return self.window is None or self.window.holds(day)

    def _replaced(self, snapshot: Snapshot) -> tuple[ActiveFile, ...]:
        own = (file for file in snapshot.active.values() if file.partition_values["_runtime"] == RUNTIME)
        return tuple(file for file in own if self._in_window(file.partition_values["event_date"]))

    def _transactions(self, snapshot: Snapshot) -> dict[str, int]:
        moved = {transactions.committed(self.pipeline): self.generation}
        if self.window is None:
            moved[transactions.whole(self.pipeline)] = self.generation
        moved |= {transactions.source_day(self.pipeline, day): self.generation for day in self.source_days}
        # A day of the window that this run did not cover is not covered any more: its old batch rows just went.
        for day in filter(self._in_window, snapshot.event_days()):
            name = transactions.complete_as_of(self.pipeline, day)
            if snapshot.transaction(name):
                moved[name] = 0
        covered = self.complete_as_of.items()
        return moved | {transactions.complete_as_of(self.pipeline, day): micros for day, micros in covered}

    def _metadata(self) -> dict[str, str]:
        return {
            "runtime": RUNTIME,
            "generation": str(self.generation),
            "logic": self.logic,
            "plan": self.plan,
            "window": str(self.window or transactions.ALL_DAYS),
            "balance": json.dumps(self.balance, sort_keys=True),
        }


def commit_batch(uri: str, proposal: BatchCommit, schema: pa.Schema, clock: Clock) -> Landed:
    """Validate the files, then commit them in the place of batch's files of the window.

    Raises:
        FileMismatch: a file is missing, cut off, or has other rows or columns; nothing was committed.
        PreconditionFailed, CommitRaceLost, OutcomeUnknown: see `committer.commit`.
    """
    validate(Storage(uri), proposal.files, schema)
    return commit(uri, proposal, clock)


def batch_sources(uri: str, window: Window) -> set[str]:
    """The source files that batch's active rows of the window came from, as the rows say (`_source`)."""
    rows = Snapshot.latest(uri).table.to_pyarrow_dataset()
    held = (
        (pc.field("_runtime") == RUNTIME)
        & (pc.field("event_date") >= pa.scalar(window.start))
        & (pc.field("event_date") < pa.scalar(window.end))
    )
    found: set[str] = set()
    for batch in rows.to_batches(columns=["_source"], filter=held):
        found.update(pc.unique(batch.column("_source")).to_pylist())
    return found
