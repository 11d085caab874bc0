"""Bodies of a `World`'s processes, made of the code under test: a stream's driver, a reset, a batch run."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from tests.support.sample_table import AUTHOR, PIPELINE, TYPES
from tests.support.stream_actors import Actor
from tests.support.stream_table import StreamTables
from tests.support.stream_world import TOPIC, Place, World, outcomes_of
from trivium.delivery.commit.batch import BatchCommit
from trivium.delivery.commit.claims import claim_generation
from trivium.delivery.commit.committer import Landed, commit
from trivium.delivery.commit.generation import take_generation
from trivium.delivery.commit.positions import RUNTIME, Adoption, Positions, Reset, adopt, source_name
from trivium.delivery.commit.stream import OffsetRange
from trivium.delivery.coverage.documents import RunCoverage
from trivium.delivery.coverage.scope import Scope
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.dead_letters.stream import CleanUp, remove_uncounted
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.storage.storage import Storage
from trivium.engine.outcomes import Counts
from trivium.runtimes.streaming.epochs import EpochCommitter
from trivium.runtimes.streaming.job import EpochResult


@dataclass
class Driver:
    """A stream's driver."""

    world: World
    actor: Actor
    chance: random.Random
    generation: int = 0
    epoch: int = 0
    positions: dict[str, int] = field(default_factory=dict)
    identities: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        """Take the steps of `runtimes.streaming.start`."""
        names, self.identities = self.world.names, {TOPIC: self.world.identity}
        self.generation = _own_tables(self.world, self.actor, names)
        known = Positions.of(Snapshot.latest(self.world.uri), PIPELINE, names)
        known.check_identities(self.identities)
        self.epoch = known.epochs[TOPIC]
        self.positions = {name: at for name, at in known.next.items() if at is not None}
        self.adopt({name: 0 for name in names if name not in self.positions})
        self.committer = PausingCommitter(pipeline_of(self.world), self.generation, self.actor.clock)
        self.committer.actor = self.actor

    def adopt(self, new: dict[str, int]) -> None:
        if new:
            adopt(self.world.uri, Adoption(PIPELINE, self.generation, new, self.identities), self.actor.clock)
            self.positions |= new

    def run_epoch(self) -> None:
        """Write some files and have the product commit them."""
        ranges, outcomes = self._attempt()
        kinds: dict[str, list[Place]] = {kind: [] for kind in "edr"}
        for place, outcome in outcomes.items():
            kinds[outcome].append(place)
        rows, letters = kinds["e"], kinds["r"]
        counts = Counts(len(outcomes), len(rows), len(rows), len(kinds["d"]), len(letters))
        result = EpochResult(
            ranges,
            (self.world.data_file(rows, RUNTIME),) if rows else (),
            self.world.letter_files(letters, str(self.generation), RUNTIME) if letters else (),
            {"departure": counts},
        )
        self.committer.add(result)
        committed = self.committer.commit()
        self.world.last(self.world.uri, committed.version)
        self.positions |= {name: each.next for name, each in ranges.items()}
        self.world.seen["epochs"] += 1

    def _attempt(self) -> tuple[dict[str, OffsetRange], dict[Place, str]]:
        """Some partitions, each some offsets further, and what becomes of their records."""
        chosen = [name for name in self.positions if self.chance.random() < 0.7] or list(self.positions)[:1]
        ranges, outcomes = {}, {}
        for name in chosen:
            start = self.positions[name]
            after = start + self.chance.randint(1, 4)
            found = outcomes_of(source_name(name, self.epoch), range(start, after), self.chance)
            kinds = Counter(found.values())
            ranges[name] = OffsetRange(start, after, len(found), kinds["e"], kinds["d"], kinds["r"])
            outcomes |= found
        for place, outcome in outcomes.items():
            earlier = self.world.tried.setdefault(place, set())
            self.world.seen["outcomes that changed"] += bool(earlier - {outcome})
            earlier.add(outcome)
        return ranges, outcomes


class PausingCommitter(EpochCommitter):
    """The product's own, at whose side a process can be stopped between letters and rows."""

    actor: Actor

    def _land_rows(self, result: EpochResult) -> Landed:
        if result.letters:
            self.actor.pause("letters landed")
        return super()._land_rows(result)


def pipeline_of(world: World | StreamTables) -> Any:
    """What a committer takes of a pipeline."""
    return SimpleNamespace(
        name=PIPELINE,
        config=SimpleNamespace(
            table=SimpleNamespace(path=world.uri), dead_letters=SimpleNamespace(path=world.letters_uri), breaker="off"
        ),
        plan=SimpleNamespace(logic_short="l1", plan_short="p1"),
        table_columns=AUTHOR,
    )


def drive(world: World, seed: int, actor: Actor) -> None:
    """A stream: its start, then epochs for ever."""
    driver = Driver(world, actor, random.Random(seed))
    driver.start()
    while True:
        actor.pause("between epochs")
        if world.identity == driver.identities[TOPIC]:
            driver.adopt({name: 0 for name in world.names if name not in driver.positions})
        driver.run_epoch()


def reset(world: World, seed: int, actor: Actor) -> None:
    """An operator's reset: to the beginning of a topic made anew, or some offsets forward."""
    names, identity, chance = world.names, world.identity, random.Random(seed)
    generation = _own_tables(world, actor, names)
    known = Positions.of(Snapshot.latest(world.uri), PIPELINE, names)
    anew = known.identities[TOPIC] != identity
    targets = {name: 0 if anew else (known.next[name] or 0) + chance.randint(0, 3) for name in names}
    commit(world.uri, Reset(PIPELINE, generation, targets, {TOPIC: identity}), actor.clock)
    world.seen["resets to a new topic" if anew else "resets forward"] += 1


def batch(world: World, seed: int, actor: Actor) -> None:
    """A batch run of everything, sometimes with a dead letter."""
    scope, days = Scope(None, TYPES), ("all",)
    generation = claim_generation(world.uri, world.letters_uri, PIPELINE, scope, actor.clock)
    dead_letters.remove_uncounted(world.letters_uri, world.uri, PIPELINE, generation, actor.clock)
    files = (world.data_file([("raw.parquet", number) for number in range(3)], "batch"),)
    if seed % 2:
        letters = world.letter_files([("raw.parquet", 3)], "unit", "batch")
        append_letters = dead_letters.DeadLetterCommit(PIPELINE, generation, letters, days, world.uri)
        dead_letters.append(world.letters_uri, append_letters, actor.clock)
    committed = Snapshot.latest(world.uri).transaction(transactions.committed(PIPELINE)) or 0
    covered = RunCoverage(generation, after=committed)
    proposal = BatchCommit(PIPELINE, generation, scope, files, days, covered, {}, "l1", "p1")
    commit(world.uri, proposal, actor.clock)


def _own_tables(world: World, actor: Actor, names: list[str]) -> int:
    """The generation, taken, and dead letters that do not count, removed."""
    generation = take_generation(world.uri, world.letters_uri, PIPELINE, RUNTIME, actor.clock)
    table, storage = Snapshot.latest(world.uri), Storage(world.letters_uri)
    proposal = CleanUp(PIPELINE, generation, storage, table, tuple(names))
    if remove_uncounted(world.letters_uri, proposal, actor.clock):
        world.seen["half-done epochs taken over"] += 1
    return generation
