"""Progress of a stream: positions of its partitions, the topics they are of, and how often they were reset.

A partition is named topic/number. Within one *position epoch* of a topic a position never goes back; an operator's
reset opens the next. Offsets of different epochs may coincide (a topic that was made anew starts at 0 again), so the
name of a partition as rows and dead letters carry it (`_source`) names its epoch, unless that is the first:
`flights/0`, then `flights/0@1`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count, takewhile

from trivium.core.clock import Clock
from trivium.delivery.commit.committer import Change, Landed, commit
from trivium.delivery.commit.generation import RunProposal
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import PreconditionFailed, TopicChanged

RUNTIME = "streaming"


def topic_of(partition: str) -> str:
    """Return the topic of a partition."""
    return partition.rpartition("/")[0]


def by_number(partition: str) -> tuple[str, int]:
    """Return what sorts partitions by topic and number: t/2 before t/10."""
    topic, _, number = partition.rpartition("/")
    return topic, int(number)


def source_name(partition: str, epoch: int) -> str:
    """Return what rows and dead letters of a partition carry as their source."""
    return f"{partition}@{epoch}" if epoch else partition


def parse_source(source: str) -> tuple[str, int]:
    """Return the partition and the position epoch in what `source_name` returned."""
    partition, _, epoch = source.partition("@")
    return partition, int(epoch or 0)


def known_partitions(snapshot: Snapshot, pipeline: str, partitions: Iterable[str]) -> list[str]:
    """Return these partitions and whatever else the snapshot has positions of among their topics.

    A topic that was made anew may have fewer partitions than the old one. Kafka numbers them from 0 without gaps.
    """

    def known(partition: str) -> bool:
        return snapshot.transaction(transactions.position(pipeline, partition)) is not None

    names = set(partitions)
    for topic in {topic_of(name) for name in names}:
        names.update(takewhile(known, (f"{topic}/{number}" for number in count())))
    return sorted(names)


@dataclass(frozen=True)
class Positions:
    """Positions of partitions in a snapshot: next offsets (None: never read) and each topic's identity and epoch."""

    next: Mapping[str, int | None]
    identities: Mapping[str, int | None]
    epochs: Mapping[str, int]

    @classmethod
    def of(cls, snapshot: Snapshot, pipeline: str, partitions: Iterable[str]) -> Positions:
        """Return the positions of a snapshot."""
        names = sorted(partitions)
        topics = sorted({topic_of(name) for name in names})
        return cls(
            {name: snapshot.transaction(transactions.position(pipeline, name)) for name in names},
            {topic: snapshot.transaction(transactions.identity(pipeline, topic)) for topic in topics},
            {topic: snapshot.transaction(transactions.position_epoch(pipeline, topic)) or 0 for topic in topics},
        )

    def check_identities(self, found: Mapping[str, int]) -> None:
        """Prove that the topics are those the positions are of; `found` holds the cluster's answer.

        Raises:
            TopicChanged: one is another topic, or of another cluster.
        """
        for topic, known in self.identities.items():
            if known is not None and known != found[topic]:
                message = (
                    f"topic {topic}: the table's positions are of another topic of this name, or of another cluster "
                    f"(identity {known} expected, {found[topic]} found); its offsets mean something else now. "
                    "Try: point streaming.source.servers at the right cluster; or, if the topic was made anew on "
                    "purpose, open a new position epoch with: trivium reset-positions CONFIG"
                )
                raise TopicChanged(message)


@dataclass(frozen=True)
class Adoption(RunProposal):
    """Takes partitions in that the table has no position of, with the topics they are of."""

    runtime = RUNTIME
    kind = "adoption"

    pipeline: str
    generation: int
    positions: Mapping[str, int]
    identities: Mapping[str, int]
    fault_point: str | None = field(default="adoption", init=False)

    def change(self, snapshot: Snapshot) -> Change:
        """Return the first positions and identities.

        Raises:
            Fenced: a newer run took over.
            PreconditionFailed: a partition has a position already.
            TopicChanged: a topic is another one than the table knows.
        """
        self.check_generation(snapshot)
        known = Positions.of(snapshot, self.pipeline, self.positions)
        known.check_identities(self.identities)
        taken = {name: at for name, at in known.next.items() if at is not None}
        if taken:
            message = f"{self.pipeline}/streaming: partitions {taken} have positions already; nothing was committed"
            raise PreconditionFailed(message)
        moved = {transactions.position(self.pipeline, name): at for name, at in self.positions.items()}
        moved |= {transactions.identity(self.pipeline, topic): value for topic, value in self.identities.items()}
        return Change(transactions=moved, metadata=self.metadata())

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether this run is still the newest and these partitions stand where they were to start."""
        if not self.is_newest(snapshot):
            return False
        return Positions.of(snapshot, self.pipeline, self.positions).next == dict(self.positions)


@dataclass
class Reset(RunProposal):
    """An operator's new positions: opens a new position epoch of every topic named in `identities`.

    `positions` holds all partitions of those topics. What an old topic had beyond them goes to 0: should the new one
    grow, its partitions of those numbers have not been read.
    """

    runtime = RUNTIME
    kind = "reset"

    pipeline: str
    generation: int
    positions: Mapping[str, int]
    identities: Mapping[str, int]
    fault_point: str | None = field(default="reset", init=False)
    _opened: Mapping[str, int] = field(default_factory=dict, init=False)

    def change(self, snapshot: Snapshot) -> Change:
        """Return the new positions, identities and epochs.

        Raises:
            Fenced: a newer run took over.
            PreconditionFailed: a position would go back within one topic: what is in the table would be there twice.
        """
        self.check_generation(snapshot)
        known = Positions.of(snapshot, self.pipeline, self.positions)
        for name, target in self.positions.items():
            now, topic = known.next[name], topic_of(name)
            if now is not None and target < now and known.identities[topic] == self.identities[topic]:
                message = (
                    f"{name}: expected a position of {now} or later, got {target}: the rows in between are in the "
                    "table already and would be there twice. Try: a later position; batch makes rows again"
                )
                raise PreconditionFailed(message)
        self._opened = {topic: known.epochs[topic] + 1 for topic in self.identities}
        targets = self._left_behind(snapshot, known) | dict(self.positions)
        moved = {transactions.position(self.pipeline, name): at for name, at in targets.items()}
        for topic, value in self.identities.items():
            moved[transactions.identity(self.pipeline, topic)] = value
            moved[transactions.position_epoch(self.pipeline, topic)] = self._opened[topic]
        skipped = self.skipped(known)
        return Change(
            transactions=moved,
            metadata=self.metadata(skipped_by_operator=str(sum(skipped.values()))),
        )

    def skipped(self, known: Positions) -> dict[str, int]:
        """Return the offsets that partitions of an unchanged topic skip; a new topic skips none of the old one's."""
        return {
            name: target - (known.next[name] or 0)
            for name, target in self.positions.items()
            if known.next[name] is not None and known.identities[topic_of(name)] == self.identities[topic_of(name)]
        }

    def landed(self, snapshot: Snapshot) -> bool:
        """Return whether this generation's reset is in: the epochs its last attempt was to open are open.

        The positions alone do not tell: they need not move.
        """
        opened = Positions.of(snapshot, self.pipeline, self.positions).epochs == self._opened
        return opened and self.is_newest(snapshot)

    def _left_behind(self, snapshot: Snapshot, known: Positions) -> dict[str, int]:
        found = known_partitions(snapshot, self.pipeline, self.positions)
        anew = {topic for topic, value in self.identities.items() if known.identities[topic] != value}
        return {name: 0 for name in found if name not in self.positions and topic_of(name) in anew}


def adopt(uri: str, adoption: Adoption, clock: Clock) -> Landed:
    """Commit first positions; see `committer.commit` for the errors."""
    return commit(uri, adoption, clock)
