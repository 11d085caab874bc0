"""What the processes of a `World` do, by the code under test: the steps of a stream's driver, of a reset, of batch."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.delivery.sample_table import PIPELINE, TYPES
from tests.delivery.stream_actors import Actor
from tests.delivery.stream_world import TOPIC, Place, World, outcomes_of
from trivium.delivery import dead_letters
from trivium.delivery.batch_commit import BatchCommit
from trivium.delivery.batch_scope import Scope
from trivium.delivery.committer import Landed, Proposal, commit
from trivium.delivery.coverage import Document
from trivium.delivery.errors import OutcomeUnknown
from trivium.delivery.generation import take_generation
from trivium.delivery.positions import RUNTIME, Adoption, Positions, Reset, adopt, source_name
from trivium.delivery.snapshot import Snapshot
from trivium.delivery.storage import Storage
from trivium.delivery.stream_commit import Range, StreamCommit
from trivium.delivery.stream_letters import CleanUp, StreamLetters, append, remove_uncounted
from trivium.runtimes.streaming.epochs import land


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
        """As `runtimes.streaming.start`."""
        names, self.identities = self.world.names, {TOPIC: self.world.identity}
        self.generation = _own_tables(self.world, self.actor, names)
        known = Positions.of(Snapshot.latest(self.world.uri), PIPELINE, names)
        known.check_identities(self.identities)
        self.epoch = known.epochs[TOPIC]
        self.positions = {name: at for name, at in known.next.items() if at is not None}
        self.adopt({name: 0 for name in names if name not in self.positions})

    def adopt(self, new: dict[str, int]) -> None:
        if new:
            adopt(self.world.uri, Adoption(PIPELINE, self.generation, new, self.identities), self.actor.clock)
            self.positions |= new

    def run_epoch(self) -> None:
        """As `runtimes.streaming.epochs`."""
        ranges, outcomes = self._attempt()
        rows = [place for place, outcome in outcomes.items() if outcome == "e"]
        letters = [place for place, outcome in outcomes.items() if outcome == "r"]
        files = (self.world.data_file(rows, RUNTIME),) if rows else ()
        if letters:
            self._land_letters(letters, ranges)
            self.actor.pause("letters landed")
        proposal = StreamCommit(PIPELINE, self.generation, files, ranges, {}, "l1", "p1")
        self._land(self.world.uri, proposal, lambda: commit(self.world.uri, proposal, self.actor.clock))
        self.positions |= {name: each.next for name, each in ranges.items()}
        self.world.seen["epochs"] += 1

    def _attempt(self) -> tuple[dict[str, Range], dict[Place, str]]:
        """Some partitions, each some offsets further, and what becomes of their records."""
        chosen = [name for name in self.positions if self.chance.random() < 0.7] or list(self.positions)[:1]
        ranges, outcomes = {}, {}
        for name in chosen:
            start = self.positions[name]
            after = start + self.chance.randint(1, 4)
            found = outcomes_of(source_name(name, self.epoch), range(start, after), self.chance)
            kinds = Counter(found.values())
            ranges[name] = Range(start, after, len(found), kinds["e"], kinds["d"], kinds["r"])
            outcomes |= found
        for place, outcome in outcomes.items():
            earlier = self.world.tried.setdefault(place, set())
            self.world.seen["outcomes that changed"] += bool(earlier - {outcome})
            earlier.add(outcome)
        return ranges, outcomes

    def _land_letters(self, letters: list[Place], ranges: dict[str, Range]) -> None:
        files = self.world.letter_files(letters, str(self.generation), RUNTIME)
        stretches = {name: (each.start, each.next) for name, each in ranges.items()}
        proposal, uri = StreamLetters(PIPELINE, self.generation, files, stretches), self.world.letters_uri
        self._land(uri, proposal, lambda: append(uri, proposal, self.actor.clock))

    def _land(self, uri: str, proposal: Proposal, attempt: Callable[[], Landed]) -> None:
        def watched() -> Landed:
            try:
                return attempt()
            except OutcomeUnknown:
                self.actor.doubted = True
                self.world.seen["outcomes unknown"] += 1
                raise

        land(uri, proposal, watched, self.actor.clock)


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
    generation, days = take_generation(world.uri, world.letters_uri, PIPELINE, "batch", actor.clock), ("all",)
    dead_letters.remove_uncounted(world.letters_uri, world.uri, PIPELINE, generation, actor.clock)
    files = (world.data_file([("raw.parquet", number) for number in range(3)], "batch"),)
    if seed % 2:
        letters = world.letter_files([("raw.parquet", 3)], "unit", "batch")
        append_letters = dead_letters.DeadLetterCommit(PIPELINE, generation, letters, days)
        dead_letters.append(world.letters_uri, append_letters, actor.clock)
    proposal = BatchCommit(PIPELINE, generation, Scope(None, TYPES), files, days, Document(generation), {}, "l1", "p1")
    commit(world.uri, proposal, actor.clock)


def _own_tables(world: World, actor: Actor, names: list[str]) -> int:
    """The generation, taken, and dead letters that do not count, removed."""
    generation = take_generation(world.uri, world.letters_uri, PIPELINE, RUNTIME, actor.clock)
    table, storage = Snapshot.latest(world.uri), Storage(world.letters_uri)
    proposal = CleanUp(PIPELINE, generation, storage, table, tuple(names))
    if remove_uncounted(world.letters_uri, proposal, actor.clock):
        world.seen["half-done epochs taken over"] += 1
    return generation
