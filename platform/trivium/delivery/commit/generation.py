"""Generations: of two runs of one pipeline and runtime the newer wins, and the older finds out at its next step."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import ClassVar

from trivium.core.clock import Clock
from trivium.core.fault_points import reach
from trivium.delivery.commit.committer import Change, commit
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import Fenced


def take_generation(table_uri: str, dead_letters_uri: str, pipeline: str, runtime: str, clock: Clock) -> int:
    """Take the next generation, in the dead-letter table first, then in the table. Returns it.

    Raises:
        Fenced: a newer run took one meanwhile.
    """
    name = transactions.generation(pipeline, runtime)
    newest = Snapshot.latest(table_uri).transaction(name) or 0
    first = _Take(pipeline, runtime, at_least=newest + 1)
    commit(dead_letters_uri, first, clock)
    reach("generation.between_tables")
    commit(table_uri, _Follow(pipeline, runtime, first.taken), clock)
    return first.taken


def check_generation(snapshot: Snapshot, pipeline: str, runtime: str, own: int) -> None:
    """Prove that the run with generation `own` is still the newest in this snapshot.

    Raises:
        Fenced: it is not; both generations are named.
    """
    newest = snapshot.transaction(transactions.generation(pipeline, runtime)) or 0
    if newest != own:
        raise _fenced(pipeline, runtime, own, newest)


class RunProposal:
    """The part of a proposal that ties it to a run: it commits as the newest generation of its pipeline and runtime.

    A subclass is a dataclass with the fields `pipeline` and `generation`; it names its runtime and its kind of commit.
    """

    runtime: ClassVar[str]
    kind: ClassVar[str]
    pipeline: str
    generation: int

    def check_generation(self, snapshot: Snapshot) -> None:
        """Prove that the run is still the newest in this snapshot.

        Raises:
            Fenced: it is not; both generations are named.
        """
        check_generation(snapshot, self.pipeline, self.runtime, self.generation)

    def is_newest(self, snapshot: Snapshot) -> bool:
        """Return True when the run's generation is the newest in this snapshot."""
        return snapshot.transaction(transactions.generation(self.pipeline, self.runtime)) == self.generation

    def metadata(self, **more: str) -> dict[str, str]:
        """Return what the log entry says of the commit."""
        return commit_metadata(self.runtime, self.generation, self.kind) | more


def commit_metadata(runtime: str, generation: int, kind: str) -> dict[str, str]:
    """Return what the log entry of every commit of a run says: whose it is, and of which kind."""
    return {"runtime": runtime, "generation": str(generation), "kind": kind}


def _fenced(pipeline: str, runtime: str, own: int, newest: int) -> Fenced:
    message = (
        f"{pipeline}/{runtime}: this run has generation {own}, the table has generation {newest}: "
        "a newer run of this pipeline took over; this run stops; nothing it did is visible"
    )
    return Fenced(message)


@dataclass
class _Take:
    """The next generation. The random token tells our commit from one that took the same number."""

    pipeline: str
    runtime: str
    at_least: int
    token: int = field(default_factory=lambda: secrets.randbits(62))
    taken: int = 0
    fault_point: str | None = None

    def change(self, snapshot: Snapshot) -> Change:
        self.taken = max(self._newest(snapshot) + 1, self.at_least)
        return self._taking()

    def landed(self, snapshot: Snapshot) -> bool:
        return snapshot.transaction(transactions.run_token(self.pipeline, self.runtime)) == self.token

    def _newest(self, snapshot: Snapshot) -> int:
        return snapshot.transaction(transactions.generation(self.pipeline, self.runtime)) or 0

    def _taking(self) -> Change:
        moved = {
            transactions.generation(self.pipeline, self.runtime): self.taken,
            transactions.run_token(self.pipeline, self.runtime): self.token,
        }
        return Change(transactions=moved, metadata=commit_metadata(self.runtime, self.taken, "generation"))


class _Follow(_Take):
    """A generation that is already ours, put into the second table: exactly `at_least`."""

    def change(self, snapshot: Snapshot) -> Change:
        newest, self.taken = self._newest(snapshot), self.at_least
        if newest >= self.taken:
            raise _fenced(self.pipeline, self.runtime, self.taken, newest)
        return self._taking()
