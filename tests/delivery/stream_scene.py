"""A `World` and its processes, moved from outside one turn at a time, whoever decides whose turn it is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from tests.delivery import stream_bodies
from tests.delivery.stream_actors import Actor, Killed, Order
from tests.delivery.stream_world import Backend, World
from trivium.delivery import delta_handle
from trivium.delivery.errors import (
    CommitRaceLost,
    Fenced,
    FileMismatch,
    OutcomeUnknown,
    PreconditionFailed,
    StorageError,
    TopicChanged,
)

_MEMORY: Final = "/dev/shm"
_ENOUGH: Final = 400
_ENDS: Final[tuple[tuple[type[BaseException], str, str], ...]] = (
    (Killed, "", "killed"),
    (Fenced, "", "zombies fenced"),
    (TopicChanged, "", "topic changed"),
    (StorageError, "no answer", "storage did not answer"),
    (CommitRaceLost, "", "storage did not answer"),
    (OutcomeUnknown, "", "storage did not answer"),
    (FileMismatch, "no longer on storage", "files gone"),
    (PreconditionFailed, "have positions already", "partition of an older topic"),
)


class Scene:
    """`actors` are the processes that have not ended; `turns` counts how often one went on."""

    def __init__(self, backend: Backend) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="trivium-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
        self.world = World(self._folder, backend)
        self.actors: list[Actor] = []
        self._saved = delta_handle.DeltaTable
        delta_handle.DeltaTable = self.world.open  # type: ignore[misc, assignment]

    def close(self) -> None:
        for actor in self.actors:
            actor.kill()
        delta_handle.DeltaTable = self._saved  # type: ignore[misc]
        shutil.rmtree(self._folder)

    def start(self, kind: str, seed: int) -> Actor:
        actor = Actor(kind, partial(getattr(stream_bodies, kind), self.world, seed))
        self.actors.append(actor)
        return actor

    def at(self, point: str) -> Actor | None:
        """The first process that waits at a point."""
        return next((actor for actor in self.actors if actor.point == point and not actor.ended), None)

    def turns(self, which: int, orders: list[Order]) -> None:
        actor = self.actors[which % len(self.actors)]
        for order in orders:
            actor.resume(order)
            self.world.seen["turns"] += 1

    def through(self, kind: str, arrived: Callable[[Actor], bool], seed: int = 5) -> None:
        """A new process that nothing disturbs gets where it is to get."""
        actor = self.start(kind, seed)
        for _ in range(_ENOUGH):
            actor.resume()
            if actor.ended or arrived(actor):
                break
        assert arrived(actor), f"{kind} stands at {actor.point}: {actor.error!r}"

    def sweep(self) -> list[str]:
        """Judge those that have ended; how each did."""
        ends = [judge(actor) for actor in self.actors if actor.ended]
        self.actors = [actor for actor in self.actors if not actor.ended]
        self.world.seen.update(ends)
        return ends


def judge(actor: Actor) -> str:
    """In words, how a process ended, if it may end like that; anything else is a bug."""
    if actor.error is None:
        return f"{actor.kind} done"
    for kind, text, words in _ENDS:
        if isinstance(actor.error, kind) and text in str(actor.error):
            return words
    if isinstance(actor.error, PreconditionFailed) and actor.doubted:
        return "stopped after a commit in doubt"
    raise AssertionError(f"{actor.kind} ended with {actor.error!r}") from actor.error
