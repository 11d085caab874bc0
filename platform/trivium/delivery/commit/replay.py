"""A replay's commit: rows of dead letters that were processed again, in the entry that says which letters are done.

A replay is a run of its own with a generation of its own: of two of one pipeline the newer wins. It moves no position,
so it may commit beside a running stream of the pipeline. Its letters are below the stream's positions already, which
never go back, and the stream only appends others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from trivium.core.clock import Clock
from trivium.delivery.commit.committer import Change, Landed, commit, metadata_text
from trivium.delivery.commit.generation import RunProposal
from trivium.delivery.dead_letters.replayed import RUNTIME, Replayed, number_of, publish
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import PreconditionFailed
from trivium.delivery.files.data_file import DataFile, validate
from trivium.delivery.storage.storage import Storage
from trivium.engine.outcomes import Counts


@dataclass(frozen=True)
class ReplayCommit(RunProposal):
    """The rows that some letters became. `after` is the number of the replay that the table named when they were read.

    `balance` holds the counts per event type. `columns` are those that the files were written for.
    """

    runtime = RUNTIME
    kind = "replay"

    pipeline: str
    generation: int
    after: int
    replayed: Replayed
    files: tuple[DataFile, ...]
    balance: Mapping[str, Counts]
    logic: str
    plan: str
    columns: pa.Schema
    fault_point: str | None = field(default="replay", init=False)

    def change(self, snapshot: Snapshot) -> Change:
        """Return the files, and the number that says which letters are done, for this snapshot.

        Raises:
            Fenced: a newer replay took over.
            PreconditionFailed: another replay's letters came between.
        """
        self.check_generation(snapshot)
        if number_of(snapshot) != self.after:
            message = f"{self.pipeline}/replay: expected {self.after} as the newest replay, got {number_of(snapshot)}"
            raise PreconditionFailed(f"{message}; nothing was committed. Try: start again")
        moved = {transactions.replayed(self.pipeline): self.replayed.number}
        metadata = self.metadata(logic=self.logic, plan=self.plan, balance=metadata_text(self.balance))
        return Change(self.files, transactions=moved, metadata=metadata, columns=self.columns)

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether the table names this replay."""
        return number_of(snapshot) == self.replayed.number


def commit_replay(uri: str, proposal: ReplayCommit, clock: Clock) -> Landed:
    """Publish which letters it is about, then commit; `settle` has to follow.

    Raises:
        FileMismatch: a file is not what its manifest says; nothing was committed.
        PreconditionFailed, CommitRaceLost, OutcomeUnknown: see `committer.commit`.
    """
    validate(Storage(uri), proposal.files, proposal.columns)
    publish(uri, proposal.replayed)
    return commit(uri, proposal, clock)
