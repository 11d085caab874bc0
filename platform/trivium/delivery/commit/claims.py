"""Claims: the part of the table that each batch run is to replace, so that runs of other parts go on beside it.

A run publishes its claim, event days and event types, as `_trivium/claims/<token>.json`, then takes a number in both
tables, by commits that name the token. So whoever sees a number finds the claim behind it. Of two runs whose claims
overlap the one that started later wins; runs that share no row, no dead letter and no coverage do not know each other.

Commits are known by these numbers, and a later commit has a greater one. A run that finishes after one that started
later therefore takes another number for the same run, and works out anew what depends on the last commit.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

import msgspec

from trivium.core.clock import Clock
from trivium.core.fault_points import reach
from trivium.delivery.commit.committer import Change, commit
from trivium.delivery.commit.generation import commit_metadata
from trivium.delivery.commit.replace import RUNTIME
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import Fenced, Overtaken
from trivium.delivery.storage.storage import Storage, StoredFile

FOLDER = "_trivium/claims"
_NOBODY = 0
"""The token of a number that no run has in this table."""


class Claim(msgspec.Struct, frozen=True):
    """A batch run's event days (half open, None: all) and event types. `run` is the number the run started with.

    `run` 0: the number that names the claim is the first one.
    """

    window: tuple[date, date] | None
    types: frozenset[str]
    untyped: bool
    run: int = 0

    @classmethod
    def of(cls, scope: Scope, run: int) -> Claim:
        """Return the claim of a run over a scope."""
        window = None if scope.window is None else (scope.window.start, scope.window.end)
        return cls(window, scope.types, scope.untyped, run)

    def scope(self) -> Scope:
        """Return what is claimed."""
        window = None if self.window is None else Window(*self.window)
        return Scope(window, self.types, untyped=self.untyped)


@dataclass(frozen=True)
class Known:
    """A batch run behind a number: the number it started with, and its scope, None where its claim is not known."""

    run: int
    scope: Scope | None

    def overlaps(self, other: Known) -> bool:
        """Return whether two runs may replace the same rows or dead letters."""
        return self.scope is None or other.scope is None or self.scope.overlaps(other.scope)


class Runs:
    """The batch runs of a table as a version of it, or of its dead letters, knows them."""

    def __init__(self, table_uri: str, pipeline: str, snapshot: Snapshot) -> None:
        self._uri, self._pipeline, self._snapshot = table_uri, pipeline, snapshot
        self._newest = snapshot.transaction(transactions.generation(pipeline, RUNTIME)) or 0
        self._replaced: dict[int, bool] = {}

    def find(self, number: int) -> Known | None:
        """Return the run behind a number, or None where no run has taken it in this table.

        Numbers of versions without claims, and of too long ago, are of runs that may replace anything.
        """
        if number > self._newest:
            return None
        if number <= self._newest - transactions.REMEMBERED_RUNS:
            return Known(number, None)
        token = self._snapshot.transaction(transactions.claim(self._pipeline, number))
        if token == _NOBODY:
            return None
        claim = None if token is None else _claim(self._uri, token)
        return Known(number, None) if claim is None else Known(claim.run or number, claim.scope())

    def check(self, number: int) -> int:
        """Prove that no run that started later claims anything of what the run behind a number claims.

        Returns the number which that run started with.

        Raises:
            Fenced: one does; both numbers are named.
        """
        if (own := self.find(number)) is None:
            raise _fenced(self._pipeline, number, self._newest)
        if (newer := next(self.overlapping(own), None)) is not None:
            raise _fenced(self._pipeline, own.run, newer)
        return own.run

    def landed(self, number: int) -> bool:
        """Return whether the run behind a number has committed; of runs of too long ago nobody knows: they have."""
        known = self.find(number)
        if known is None or known.scope is None:
            return number <= (self._snapshot.transaction(transactions.committed(self._pipeline)) or 0)
        newest = self._snapshot.transaction(transactions.landed(self._pipeline, known.run))
        return newest is not None and newest >= known.run

    def fenced(self, number: int) -> bool:
        """Return whether a run that started later claims something of what the run behind a number claims."""
        known = self.find(number)
        return known is None or next(self.overlapping(known), None) is not None

    def replaced(self, number: int) -> bool:
        """Return whether the run behind a number has committed, or one that took over from it has."""
        if number not in self._replaced:  # thousands of markers are of one run
            known = self.find(number)
            later = () if known is None else self.overlapping(known)
            self._replaced[number] = self.landed(number) or any(map(self.landed, later))
        return self._replaced[number]

    def overlapping(self, own: Known) -> Iterator[int]:
        """Yield the numbers of runs that started later than a run and overlap it."""
        for number in range(own.run + 1, self._newest + 1):
            other = self.find(number)
            if other is not None and other.run > own.run and other.overlaps(own):
                yield number


def claim_generation(
    table_uri: str, dead_letters_uri: str, pipeline: str, scope: Scope, clock: Clock, run: int = 0
) -> int:
    """Claim a scope for a batch run: publish the claim, take a number in the dead letters, then in the table.

    `run` is the first number of a run that takes another one. Returns the number.

    Raises:
        Fenced: an overlapping run that started later is there.
    """
    if run:
        Runs(table_uri, pipeline, Snapshot.latest(table_uri)).check(run)
    token = secrets.randbits(62) + 1
    Storage(table_uri).publish(_path(token), msgspec.json.encode(Claim.of(scope, run)))
    name = transactions.generation(pipeline, RUNTIME)
    while True:
        newest = Snapshot.latest(table_uri).transaction(name) or 0
        first = _Taking(pipeline, token, at_least=newest + 1)
        commit(dead_letters_uri, first, clock)
        reach("generation.between_tables")
        own = Known(run or first.taken, scope)
        try:
            commit(table_uri, _Following(table_uri, pipeline, token, first.taken, own), clock)
        except Overtaken:
            continue
        return first.taken


def forgotten_claims(table_uri: str, pipeline: str, table: Snapshot) -> list[StoredFile]:
    """Return the claims that no number of the table names, or not yet: those of runs that are starting are young."""
    numbers = range(transactions.REMEMBERED_RUNS)
    tokens = {table.transaction(transactions.claim(pipeline, number)) for number in numbers}
    named = {_path(token) for token in tokens if token}
    return [file for file in Storage(table_uri).list(FOLDER) if file.path not in named]


@lru_cache(maxsize=8 * transactions.REMEMBERED_RUNS)
def _claim(uri: str, token: int) -> Claim | None:
    """Return a claim, which never changes; None where it is gone."""
    content = Storage(uri).find(_path(token))
    return None if content is None else msgspec.json.decode(content, type=Claim)


def _path(token: int) -> str:
    return f"{FOLDER}/{token:016x}.json"


def _fenced(pipeline: str, own: int, newer: int) -> Fenced:
    message = (
        f"{pipeline}/{RUNTIME}: this run has generation {own}, the table has generation {newer}: a newer run of this "
        "pipeline took over event days and types of this one; this run stops; nothing it did is visible"
    )
    return Fenced(message)


@dataclass
class _Taking:
    """The next number, for the claim with this token."""

    pipeline: str
    token: int
    at_least: int
    taken: int = 0
    fault_point: str | None = field(default=None, init=False)

    def change(self, snapshot: Snapshot) -> Change:
        self.taken = max(self._newest(snapshot) + 1, self.at_least)
        return self._take(snapshot)

    def landed(self, snapshot: Snapshot) -> bool:
        return snapshot.transaction(transactions.claim(self.pipeline, self.taken)) == self.token

    def _newest(self, snapshot: Snapshot) -> int:
        return snapshot.transaction(transactions.generation(self.pipeline, RUNTIME)) or 0

    def _take(self, snapshot: Snapshot) -> Change:
        """Return the number and its token; numbers between that were not taken in this table are nobody's."""
        first = max(self._newest(snapshot) + 1, self.taken - transactions.REMEMBERED_RUNS + 1)
        moved = {transactions.claim(self.pipeline, number): _NOBODY for number in range(first, self.taken)}
        moved |= {transactions.claim(self.pipeline, self.taken): self.token}
        moved |= {transactions.generation(self.pipeline, RUNTIME): self.taken}
        return Change(transactions=moved, metadata=commit_metadata(RUNTIME, self.taken, "generation"))


class _Following(_Taking):
    """A number that is already ours, put into the second table: exactly `at_least`."""

    def __init__(self, table_uri: str, pipeline: str, token: int, taken: int, own: Known) -> None:
        super().__init__(pipeline, token, taken, taken)
        self._uri, self._own = table_uri, own

    def change(self, snapshot: Snapshot) -> Change:
        newest = self._newest(snapshot)
        if newest < self.taken:
            return self._take(snapshot)
        runs = Runs(self._uri, self.pipeline, snapshot)
        if (newer := next(runs.overlapping(self._own), None)) is not None:
            raise _fenced(self.pipeline, self.taken, newer)
        raise Overtaken(f"{self.pipeline}/{RUNTIME}: generation {self.taken} is behind {newest}. Try: the next one")
