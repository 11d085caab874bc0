"""Generations: of two runs of one pipeline and runtime the newer wins, and the older finds out at its next step."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

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


def _fenced(pipeline: str, runtime: str, own: int, newest: int) -> Fenced:
    message = (
        f"{pipeline}/{runtime}: this run has generation {own}, the table has generation {newest}: "
        "a newer run of this pipeline took over; this run stops; nothing it did is visible"
    )
    return Fenced(message)


@dataclass
class _Take:
    """Take whatever generation is next. The random token tells our commit from one that took the same number."""

    pipeline: str
    runtime: str
    at_least: int
    token: int = field(default_factory=lambda: secrets.randbits(62))
    taken: int = 0
    fault_point: str | None = None

    def change(self, snapshot: Snapshot) -> Change:
        name = transactions.generation(self.pipeline, self.runtime)
        self.taken = max((snapshot.transaction(name) or 0) + 1, self.at_least)
        token = transactions.run_token(self.pipeline, self.runtime)
        return Change(transactions={name: self.taken, token: self.token}, metadata=_metadata(self.runtime, self.taken))

    def landed(self, snapshot: Snapshot) -> bool:
        return snapshot.transaction(transactions.run_token(self.pipeline, self.runtime)) == self.token


@dataclass(frozen=True)
class _Follow:
    """Put a generation that is already ours into the table."""

    pipeline: str
    runtime: str
    taken: int
    token: int = field(default_factory=lambda: secrets.randbits(62))
    fault_point: str | None = None

    def change(self, snapshot: Snapshot) -> Change:
        name = transactions.generation(self.pipeline, self.runtime)
        newest = snapshot.transaction(name) or 0
        if newest >= self.taken:
            raise _fenced(self.pipeline, self.runtime, self.taken, newest)
        token = transactions.run_token(self.pipeline, self.runtime)
        return Change(transactions={name: self.taken, token: self.token}, metadata=_metadata(self.runtime, self.taken))

    def landed(self, snapshot: Snapshot) -> bool:
        return snapshot.transaction(transactions.run_token(self.pipeline, self.runtime)) == self.token


def _metadata(runtime: str, generation: int) -> dict[str, str]:
    return {"runtime": runtime, "generation": str(generation), "kind": "generation"}
