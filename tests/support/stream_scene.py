"""A `World` and its processes, moved from outside one turn at a time, whoever decides whose turn it is."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest import mock

from tests.support import stream_bodies
from tests.support.power_cut import SyncedPaths
from tests.support.power_cut_story import forget
from tests.support.stream_actors import Actor, Killed, Order, current
from tests.support.stream_memory import MemoryLog
from tests.support.stream_world import Backend, World
from trivium.delivery.commit import committer
from trivium.delivery.commit.committer import Landed
from trivium.delivery.delta import snapshot
from trivium.delivery.delta.entry import versions_among
from trivium.delivery.delta.log_check import check_log
from trivium.delivery.errors import (
    CommitRaceLost,
    Fenced,
    FileMismatch,
    OutcomeUnknown,
    PreconditionFailed,
    StorageError,
    TopicChanged,
)
from trivium.runtimes.streaming import epochs

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
        self.disk = SyncedPaths(self._folder)
        self._patches = ExitStack()
        for owner, name, stand_in in (
            (snapshot, "newest", self.world.newest),
            (committer, "write_entry", self.world.write),
            (epochs, "append", self._watched(epochs.append)),
            (epochs, "commit_epoch", self._watched(epochs.commit_epoch)),
            (os, "fsync", self.disk.sync),
        ):
            self._patches.enter_context(mock.patch.object(owner, name, stand_in))

    def close(self) -> None:
        for actor in self.actors:
            actor.kill()
        self._patches.close()
        shutil.rmtree(self._folder)

    def _watched(self, attempt: Callable[..., Landed]) -> Callable[..., Landed]:
        """An attempt of the product's; it is kept in mind when its outcome was not known."""

        def watched(*arguments: Any) -> Landed:
            try:
                return attempt(*arguments)
            except OutcomeUnknown:
                if (actor := current()) is not None:
                    actor.doubted = True
                self.world.seen["outcomes unknown"] += 1
                raise

        return watched

    def cut_power(self, logs: Mapping[str, MemoryLog], chance: random.Random) -> None:
        """End all processes and lose some of what was not synced; then the logs are checked, as at every opening."""
        for actor in self.actors:
            actor.kill()
        self.sweep()
        self.world.late.clear()
        for folder in (self.world.uri, self.world.letters_uri):
            self.disk.lose(Path(folder), chance)
        forget()
        for uri, log in logs.items():
            check_log(uri)
            left = versions_among(os.listdir(Path(uri, "_delta_log")))
            assert left == list(range(len(left))), f"{uri}: a cut left versions {left}"
            newest = left[-1] if left else -1
            assert newest >= self.world.lasting[uri], f"{uri}: {self.world.lasting[uri]} landed, {newest} is left"
            self.world.seen["commits lost to a cut"] += len(log.versions) - len(left)
            log.cut_to(left[-1])
        self.world.seen["power cuts"] += 1

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
