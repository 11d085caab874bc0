"""Batch runs over a `Lake` that take turns, and the order in which their commits landed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.support.lake import Archive, Call, Lake
from tests.support.stream_actors import Actor, Order, current
from trivium.delivery.commit import committer
from trivium.delivery.delta import snapshot
from trivium.delivery.delta.entry_write import NewEntry
from trivium.delivery.delta.snapshot import Snapshot

Turn = tuple[int, int, Order]
"""Which run goes on, how many pauses far, and what happens to the commits on its way."""


class LakeRuns:
    """Runs, each in a process of its own that waits before every look at a table and before every commit."""

    def __init__(self, lake: Lake, archive: Archive, written: dict[int, datetime], patch: Any) -> None:
        self._lake, self._archive, self._written = lake, archive, written
        self.actors: list[Actor] = []
        self.calls: list[Call] = []
        self.refused: dict[int, str] = {}
        self.landed: list[int] = []
        patch.setattr(snapshot, "newest", self._newest)
        patch.setattr(committer, "write_entry", self._write)

    def start(self, call: Call) -> None:
        """Start a run; it waits for its first turn."""
        number = len(self.calls)
        self.calls.append(call)

        def body(_actor: Actor) -> None:
            if (why := self._lake.run(self._archive, self._written, call)) is not None:
                self.refused[number] = why

        self.actors.append(Actor(f"run {number}", body))

    def take(self, turns: Sequence[Turn]) -> None:
        """Let runs go on, one at a time."""
        for which, pauses, order in turns:
            for _ in range(pauses):
                self.actors[which % len(self.actors)].resume(order)

    def finish(self) -> None:
        """Let every run come to its end, one after the other."""
        for actor in self.actors:
            while not actor.ended:
                actor.resume()

    def _newest(self, uri: str) -> Any:
        actor = current()
        if actor is not None:
            actor.pause("look")
        return self._lake.backend.newest(uri, {})

    def _write(self, uri: str, before: Snapshot, entry: NewEntry) -> None:
        actor = current()
        order = "go" if actor is None else actor.pause("commit")
        if order == "lost":
            message = "the connection was closed"
            raise OSError(message)
        self._lake.backend.write(uri, before, entry)
        if actor is not None and entry.metadata.get("kind") == "run":
            self.landed.append(self.actors.index(actor))
        if order == "blind":
            message = "the response was lost"
            raise OSError(message)
