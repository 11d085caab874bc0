"""Retirement: the rows of one event type removed, of both runtimes, in one commit.

Nothing else removes rows of a type that a pipeline does not list any more: neither runtime touches them. Positions,
coverage and dead letters stay as they are.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from trivium.delivery.commit.committer import Change, metadata_text
from trivium.delivery.commit.positions import RUNTIME as STREAMING
from trivium.delivery.commit.replace import RUNTIME as BATCH
from trivium.delivery.commit.replace import Replacement
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot


@dataclass(frozen=True)
class Retirement:
    """The removal of an event type's rows of some event days (`window` None: of all). `rows` are for the history."""

    pipeline: str
    event_type: str
    window: Window | None
    rows: int
    fault_point: str | None = field(default="table", init=False)
    _token: int = field(default_factory=lambda: secrets.randbits(62), init=False)
    _replacement: Replacement = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scope = Scope(self.window, frozenset({self.event_type}))
        object.__setattr__(self, "_replacement", Replacement(scope, (BATCH, STREAMING)))

    def change(self, snapshot: Snapshot) -> Change:
        """Return the files that go, those with what stays of them, and what the history says.

        Raises:
            FileMismatch: a file with several types does not read as the table's rows; nothing was committed.
        """
        found = self._replacement.of(snapshot)
        moved = {transactions.retired(self.pipeline, self.event_type): self._token}
        metadata = {
            "kind": "retire",
            "event_types": metadata_text([self.event_type]),
            "window": str(self.window or transactions.ALL_DAYS),
            "rows": str(self.rows),
        }
        return Change(tuple(found.carried), tuple(found.removed), moved, metadata)

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether this removal is the type's newest."""
        return snapshot.transaction(transactions.retired(self.pipeline, self.event_type)) == self._token
