"""Interleavings of streams, resets, batch runs and compactions, drawn by hypothesis, over logs in memory.

Processes stop anywhere and go on later as zombies, die, lose responses, lose races, cannot read their table. Now and
then the power is cut: all of them end, and what nobody had synced is lost, in part or whole. After
every step the audit counts from the tables; at the end a fresh stream has to get through. That the logs in memory
behave like deltalake's is tested beside it: the same script on both has the same end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.sample_table import PIPELINE
from tests.support.stream_actors import Order
from tests.support.stream_audit import Audit
from tests.support.stream_scene import Scene
from tests.support.stream_world import TOPIC, Backend, DeltaBackend, MemoryBackend
from trivium.delivery.commit import committer
from trivium.delivery.commit.positions import Positions
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.dead_letters.schema import SCHEMA
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import DeliveryError
from trivium.delivery.storage import local as storage_local

EXPECTED: Final = (
    "batch done", "commits lost to a cut", "compactions", "compactions of letters", "epochs",
    "half-done epochs taken over", "killed", "landed without answer", "late commits landed", "late commits too late",
    "letters kept out of a mixed file", "orphans removed", "outcomes that changed", "outcomes unknown",
    "partitions added", "power cuts", "races lost", "resets forward", "resets to a new topic", "zombies fenced",
)  # fmt: skip
_ORDERS: Final = ("go", "go", "go", "go", "fail", "lost", "blind", "late")
_SILENCES: Final = (1, 3, 11, 12, 13, 40)
_SEEN: Counter[str] = Counter()


class Interleavings(RuleBasedStateMachine):
    """Whatever is interleaved, the invariants hold."""

    @initialize()
    def begin(self) -> None:
        backend = self.backend = MemoryBackend()
        self.scene = Scene(backend)
        self.world = self.scene.world
        self.audit = Audit(self.world, backend.logs[self.world.uri], backend.logs[self.world.letters_uri])
        self.scene.through("drive", lambda actor: actor.point == "between epochs")

    @property
    def alive(self) -> int:
        return len(self.scene.actors)

    @precondition(lambda self: self.alive < 4)
    @rule(kind=st.sampled_from(["drive", "drive", "drive", "batch", "reset"]), seed=st.integers(0, 2**16))
    def start(self, kind: str, seed: int) -> None:
        self.scene.start(kind, seed)

    @precondition(lambda self: self.alive)
    @rule(which=st.integers(0, 3), order=st.sampled_from(_ORDERS), then=st.integers(0, 3))
    def step(self, which: int, order: Order, then: int) -> None:
        self.scene.turns(which, [order] + ["go"] * then)

    @precondition(lambda self: self.alive)
    @rule(which=st.integers(0, 3))
    def go_far(self, which: int) -> None:
        self.scene.turns(which, ["go"] * 15)

    @precondition(lambda self: self.scene.at("commit"))
    @rule(order=st.sampled_from(["blind", "late", "lost"]), looks=st.sampled_from(_SILENCES))
    def fall_silent_at_a_commit(self, order: Order, looks: int) -> None:
        actor = self.scene.at("commit")
        actor.outage = looks
        actor.resume(order)

    @precondition(lambda self: self.alive > 1)
    @rule(which=st.integers(0, 3))
    def kill(self, which: int) -> None:
        self.scene.turns(which, ["kill"])

    @precondition(lambda self: self.scene.at("letters landed"))
    @rule(seed=st.integers(0, 2**16), first=st.sampled_from(["kill", "compact", "leave"]))
    def take_a_half_done_epoch_over(self, seed: int, first: str) -> None:
        """By a start that gets through; the other one is dead or wakes later."""
        if first == "compact":
            self.world.compact_letters()
        if first == "kill":
            self.scene.at("letters landed").kill()
        if self._topic_is_known():
            self.scene.through("drive", lambda actor: actor.point == "between epochs", seed)

    @rule()
    def late_commits_arrive(self) -> None:
        self.world.deliver()

    @rule(which=st.sampled_from(["table", "letters"]))
    def compact(self, which: str) -> None:
        getattr(self.world, f"compact_{which}")()

    @precondition(lambda self: not self.world.late)
    @rule()
    def vacuum(self) -> None:
        """Retention is hours, and outlasts any commit under way."""
        self.world.vacuum(self.scene.actors)

    @precondition(lambda self: self.world.partitions < 4)
    @rule()
    def add_partition(self) -> None:
        self.world.partitions += 1
        self.world.seen["partitions added"] += 1

    @precondition(lambda self: self.world.seen["epochs"] % 3 == 2)
    @rule(partitions=st.integers(1, 3), seed=st.integers(0, 2**16))
    def make_the_topic_anew(self, partitions: int, seed: int) -> None:
        self.world.identity += 1
        self.world.partitions = partitions
        self.scene.start("reset", seed)

    @precondition(lambda self: self.world.seen["turns"] % 7 == 3)
    @rule(seed=st.integers(0, 2**16))
    def cut_the_power(self, seed: int) -> None:
        logs = self.backend.logs
        self.scene.cut_power(logs, random.Random(seed))
        self.audit = Audit(self.world, logs[self.world.uri], logs[self.world.letters_uri])

    @invariant()
    def tables_are_whole(self) -> None:
        if hasattr(self, "audit"):
            self.scene.sweep()
            self.audit.check()

    def teardown(self) -> None:
        if not hasattr(self, "audit"):
            return
        try:
            self.finish()
        finally:
            self.scene.close()
            _SEEN.update(self.world.seen + Counter(runs=1))

    def finish(self) -> None:
        """Everybody dies; a fresh start gets through, removes what does not count and commits whole epochs."""
        for actor in self.scene.actors:
            actor.kill()
        self.world.deliver()
        if not self._topic_is_known():
            self.scene.through("reset", lambda actor: actor.ended)
        self.scene.through("drive", lambda actor: actor.point == "between epochs")
        self.tables_are_whole()
        assert not self.audit.uncounted(), "letters that do not count outlived a start"
        wanted = self.world.seen["epochs"] + 2
        self.scene.through("drive", lambda actor: self.world.seen["epochs"] == wanted)
        self.tables_are_whole()
        letters = dead_letters.read(self.world.letters_uri, self.world.uri).filter(pc.field("runtime") == "streaming")
        places = zip(letters["source"].to_pylist(), letters["position"].to_pylist(), strict=True)
        assert Counter(places) == self.audit.counted(), "readers are shown other letters than count"

    def _topic_is_known(self) -> bool:
        identity = Snapshot.latest(self.world.uri).transaction(f"{PIPELINE}/{TOPIC}/identity")
        return identity in (None, self.world.identity)


def _interleave(examples: int, phases: Sequence[Phase] = tuple(Phase)) -> Counter[str]:
    """Run that many examples; what was seen."""
    _SEEN.clear()
    options: dict[str, Any] = {"deadline": None, "derandomize": True, "database": None, "phases": phases}
    options |= {"stateful_step_count": 80, "suppress_health_check": list(HealthCheck), "print_blob": False}
    run_state_machine_as_test(Interleavings, settings=settings(max_examples=examples, **options))
    print(dict(sorted(_SEEN.items())))  # noqa: T201 - the figures of the run, shown by -s and after a failure
    return _SEEN


def test_interleavings_keep_the_tables_whole():
    seen = _interleave(120)
    assert not [name for name in EXPECTED if not seen[name]], "these never happened"


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_thousands_of_interleavings_keep_the_tables_whole():
    seen = _interleave(3000)
    assert not [name for name in EXPECTED if seen[name] < 20], "these hardly happened"


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (committer, "make_own_durable"),
        (storage_local.LocalFiles, "sync"),
        (storage_local, "_sync_directories"),
    ],
    ids=["of our own entry", "of what others wrote", "of folders"],
)
def test_a_sync_that_is_left_out_is_noticed(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner, name, lambda *_: None)
    with pytest.raises((AssertionError, DeliveryError)):
        _interleave(30, [Phase.generate])


@pytest.mark.parametrize("seed", range(3))
def test_logs_in_memory_behave_like_deltalake_s(seed: int):
    memory, real = _played(MemoryBackend(), seed), _played(DeltaBackend(), seed)
    assert memory == real


def _played(backend: Backend, seed: int) -> list[Any]:
    """A random script on a backend: where everybody stands after every move, and what the tables hold in the end."""
    scene, chance = Scene(backend), random.Random(seed)
    world = scene.world
    moves = [scene.world.compact_table, scene.world.compact_letters, scene.world.deliver]
    told: list[Any] = []
    try:
        scene.through("drive", lambda actor: world.seen["epochs"] == 3)
        for _ in range(40):
            if len(scene.actors) < 3:
                scene.start(chance.choice(["drive", "drive", "batch", "reset"]), chance.randrange(99))
            for which in range(len(scene.actors)):
                scene.turns(which, [chance.choice(_ORDERS), *["go"] * chance.randrange(6)])
            chance.choice([*moves, lambda: None])()
            ends = scene.sweep()
            told.append((ends, [(actor.kind, actor.point) for actor in scene.actors], _versions(scene)))
        return [*told, dict(world.seen), _content(scene)]
    finally:
        scene.close()


def _versions(scene: Scene) -> tuple[int, int]:
    return Snapshot.latest(scene.world.uri).version, Snapshot.latest(scene.world.letters_uri).version


def _content(scene: Scene) -> tuple[Any, ...]:
    table, letters = Snapshot.latest(scene.world.uri), Snapshot.latest(scene.world.letters_uri)
    kept = letters.rows_of(list(letters.active), SCHEMA).select(["source", "position", "generation", "runtime"])
    return (
        *(Positions.of(each, PIPELINE, scene.world.names) for each in (table, letters)),
        {path: sorted(file.partition_values.items()) for path, file in table.active.items()},
        sorted(str(sorted(row.items())) for row in kept.to_pylist()),
        sorted(str(sorted(file.partition_values.items())) for file in letters.active.values()),
    )
