"""Batch's commit: its own files of some event days and types replaced, and all that counts moved along, in one entry.

1. Prove that every file is what its manifest says.
2. Publish what the run covers, under its generation: nobody reads it yet.
3. Commit files, removals and transactions in one log entry; from then on the version names the coverage.

Killed before 3, the table is as it was; files and coverage are left to maintenance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from trivium.core.clock import Clock
from trivium.core.fault_points import reach
from trivium.delivery.commit.claims import Runs
from trivium.delivery.commit.committer import Change, Landed, commit, metadata_text
from trivium.delivery.commit.generation import commit_metadata
from trivium.delivery.commit.lookups import lookups_metadata
from trivium.delivery.commit.replace import RUNTIME, Replacement
from trivium.delivery.coverage import documents as coverage
from trivium.delivery.coverage.scope import Scope
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import Overtaken, PreconditionFailed
from trivium.delivery.files.data_file import DataFile, validate
from trivium.delivery.files.event_types import type_in
from trivium.delivery.storage.storage import Storage
from trivium.engine.lookups.usage import LookupUse
from trivium.engine.outcomes import Counts

__all__ = ["RUNTIME", "BatchCommit", "batch_sources", "commit_batch"]


@dataclass(frozen=True)
class BatchCommit:
    """A batch run's rows and all that counts with them.

    `source_days` are the source days (ISO dates, or `transactions.ALL_DAYS`) whose dead letters are replaced by this
    run's. `covered` says what the run covers. `balance` holds, per event type, the counts of read, emitted, dropped,
    rejected and out of window. `lookups` is the use of each lookup, `source_version` names the state of a source that
    has versions. `columns` are those that the files were written for.
    """

    pipeline: str
    generation: int
    scope: Scope
    files: tuple[DataFile, ...]
    source_days: tuple[str, ...]
    covered: coverage.RunCoverage
    balance: Mapping[str, Counts]
    logic: str
    plan: str
    lookups: Mapping[str, LookupUse] = field(default_factory=dict)
    source_version: int | None = None
    columns: pa.Schema | None = None
    fault_point: str | None = field(default="table", init=False)
    _replacement: Replacement = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_replacement", Replacement(self.scope))

    def change(self, snapshot: Snapshot) -> Change:
        """Return the files to add, batch's active files to remove, and the transactions, for this snapshot.

        Raises:
            Fenced: a newer run took over.
            Overtaken: another run committed since this one's coverage was worked out.
            PreconditionFailed: this run committed already, or a file lies outside the run's scope.
        """
        runs = Runs(snapshot.head.table_uri, self.pipeline, snapshot)
        run = runs.check(self.generation)
        if runs.landed(self.generation):
            message = f"{self.pipeline}/batch: generation {self.generation} is committed, this comes too late"
            raise PreconditionFailed(f"{message}; nothing was committed. Try: start a new run")
        committed = snapshot.transaction(transactions.committed(self.pipeline)) or 0
        if committed != self.covered.after or committed > self.generation:
            message = f"{self.pipeline}/batch: generation {committed} committed before {self.generation}"
            raise Overtaken(f"{message}; nothing was committed. Try: again, with another generation")
        self._check_files()
        replaced = self._replacement.of(snapshot)
        added = (*self.files, *replaced.carried)
        return Change(added, tuple(replaced.removed), self._transactions(run), self._metadata(), columns=self.columns)

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether the snapshot has this run's commit, be others on top of it."""
        run = Runs(snapshot.head.table_uri, self.pipeline, snapshot).find(self.generation)
        return run is not None and snapshot.transaction(transactions.landed(self.pipeline, run.run)) == run.run

    def _check_files(self) -> None:
        for file in self.files:
            if not self.scope.holds_day(file.partition_values.get("event_date")):
                where = f"the window {self.scope.window}" if self.scope.window else "what the run replaces"
                message = f"{self.pipeline}/batch: {file.path} lies outside {where}; nothing was committed"
                raise PreconditionFailed(message)
            if (held := type_in(file.statistics)) is not None and held not in self.scope.types:
                message = f"{self.pipeline}/batch: {file.path} holds {held}, which this run does not replace"
                raise PreconditionFailed(f"{message}; nothing was committed")

    def _transactions(self, run: int) -> dict[str, int]:
        moved = {transactions.landed(self.pipeline, run): run, transactions.committed(self.pipeline): self.generation}
        if self.scope.window is None and not self.scope.left_out:
            moved[transactions.whole(self.pipeline)] = self.generation
        moved |= {transactions.source_day(self.pipeline, day): self.generation for day in self.source_days}
        return moved | self.covered.transactions(self.pipeline)

    def _metadata(self) -> dict[str, str]:
        facts = {
            "logic": self.logic,
            "plan": self.plan,
            "window": str(self.scope.window or transactions.ALL_DAYS),
            "event_types": metadata_text(sorted(self.scope.types)),
            "balance": metadata_text(self.balance),
        }
        if self.source_version is not None:
            facts["source_version"] = str(self.source_version)
        return commit_metadata(RUNTIME, self.generation, "run") | facts | lookups_metadata(self.lookups)


def commit_batch(uri: str, proposal: BatchCommit, schema: pa.Schema, clock: Clock) -> Landed:
    """Validate the files, publish the coverage, then commit (see the module for the steps).

    Raises:
        FileMismatch: a file is missing, cut off, or has other rows or columns; nothing was committed.
        PreconditionFailed, CommitRaceLost, OutcomeUnknown: see `committer.commit`.
    """
    validate(Storage(uri), proposal.files, schema)
    coverage.publish(uri, proposal.covered)
    reach("coverage.published")
    return commit(uri, proposal, clock)


def batch_sources(uri: str, scope: Scope) -> dict[str, frozenset[str]]:
    """Return the source files that batch's active rows of a scope came from (`_source`), each with its event days."""
    rows = Snapshot.latest(uri).table.to_pyarrow_dataset()
    held = (pc.field("_runtime") == RUNTIME) & pc.field("_event_type").isin(sorted(scope.types))
    if scope.window is not None:
        days = pc.field("event_date")
        held = held & (days >= pa.scalar(scope.window.start)) & (days < pa.scalar(scope.window.end))
    found: dict[str, set[str]] = {}
    for batch in rows.to_batches(columns=["_source", "event_date"], filter=held):
        pairs = pa.table(batch).group_by(["_source", "event_date"]).aggregate([])
        for source, day in zip(pairs["_source"].to_pylist(), pairs["event_date"].to_pylist(), strict=True):
            if scope.holds_day(day.isoformat()):
                found.setdefault(source, set()).add(day.isoformat())
    return {source: frozenset(days) for source, days in found.items()}
