"""Moves a stream's positions on purpose: the recorded way past records, or into a topic that was made anew.

Within one topic positions only go forward: what lies behind is in the table, and would be there twice. A topic that was
made anew has offsets of its own, so any position is fine there. Either opens a new position epoch (see
`trivium.delivery.commit.positions`). What was not read and is passed over is counted with the commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trivium.config.pipeline import Pipeline
from trivium.connectors.kafka.cluster import KafkaLog
from trivium.core.clock import Clock
from trivium.core.errors import RunError
from trivium.delivery.commit.committer import commit
from trivium.delivery.commit.positions import Positions, Reset, by_number, topic_of
from trivium.delivery.delta import transactions
from trivium.delivery.delta.features import check_writable
from trivium.delivery.delta.snapshot import Snapshot
from trivium.operations.errors import ArgumentError
from trivium.operations.reset_targets import Target, ToBeginning, Wanted
from trivium.runtimes.streaming.start import open_tables, take_over


@dataclass(frozen=True)
class Move:
    """A partition's way: from `now` (None: never read) to `target`. In a `new_topic` nothing is skipped."""

    partition: str
    now: int | None
    target: int
    new_topic: bool

    @property
    def skipped(self) -> int:
        """Offsets that are passed over unread; below 0: it goes back."""
        return 0 if self.new_topic or self.now is None else self.target - self.now

    @property
    def changes(self) -> bool:
        """True if the partition goes on from another offset, or in another topic."""
        return self.new_topic or self.target != self.now


@dataclass(frozen=True)
class ResetPlan:
    """Plan of a reset: `moves` of all partitions of the topics in `identities`.

    `retired` are partitions the table knows that a topic made anew does not have any more. Their positions go to 0: a
    partition that is added later starts there.
    """

    table: str
    moves: tuple[Move, ...]
    identities: Mapping[str, int]
    wanted: Mapping[str, Wanted]
    retired: tuple[str, ...] = ()

    @property
    def skipped(self) -> int:
        """Offsets of all partitions that are passed over unread."""
        return sum(move.skipped for move in self.moves)


@dataclass(frozen=True)
class ResetDone:
    """A reset that is in the table; `plan` holds the moves as they were committed."""

    plan: ResetPlan
    generation: int
    version: int


def plan_reset(pipeline: Pipeline, log: KafkaLog, target: Target | None) -> ResetPlan:
    """Return what moving to `target` would do; changes nothing. None: topics made anew to their beginning, others stay.

    Raises:
        ArgumentError: there is nothing to move, or a position would go back or leave its partition's log.
        UnsupportedFeature: another engine gave the table a feature that is not kept to here.
        SourceError: Kafka does not answer.
    """
    uri = pipeline.config.table.path
    snapshot = Snapshot.find(uri)
    if snapshot is None:
        message = f"there is no table at {uri} yet, so there are no positions to move"
        raise ArgumentError(f"{message}. Try: trivium run streaming CONFIG, with --from-time or --from-offsets")
    check_writable(snapshot.head)
    partitions = log.partitions()
    known = Positions.of(snapshot, pipeline.name, partitions)
    identities = {topic: log.identity(topic) for topic in known.identities}
    wanted = _wanted(log, partitions, known, identities, target)
    moves = _moves(known, identities, wanted)
    touched = {topic_of(move.partition) for move in moves if move.changes}
    if not touched:
        raise ArgumentError(_nothing_moves(moves))
    moves = tuple(move for move in moves if topic_of(move.partition) in touched)
    _check(moves, log)
    anew = {topic_of(move.partition) for move in moves if move.new_topic}
    retired = tuple(name for topic in sorted(anew) for name in _retired(snapshot, pipeline.name, topic, partitions))
    return ResetPlan(uri, moves, {topic: identities[topic] for topic in sorted(touched)}, wanted, retired)


def carry_out(pipeline: Pipeline, log: KafkaLog, plan: ResetPlan, clock: Clock) -> ResetDone:
    """Take the stream's next generation, which stops a running one, and commit the new positions.

    The positions are looked up again once the running stream cannot move them any more.

    Raises:
        RunError: a topic was made anew since the plan was made.
        PreconditionFailed: the stream went past a planned position meanwhile.
        Fenced: another run took over.
    """
    found = {topic: log.identity(topic) for topic in plan.identities}
    if found != plan.identities:
        raise RunError(f"topics {sorted(found)} changed since this was planned; nothing was done. Try: again")
    open_tables(pipeline, clock)
    generation = take_over(pipeline, [*log.partitions(), *plan.retired], clock)
    names = [move.partition for move in plan.moves]
    known = Positions.of(Snapshot.latest(plan.table), pipeline.name, names)
    moves = _moves(known, plan.identities, plan.wanted)
    positions = {move.partition: move.target for move in moves} | dict.fromkeys(plan.retired, 0)
    landed = commit(plan.table, Reset(pipeline.name, generation, positions, plan.identities), clock)
    done = ResetPlan(plan.table, moves, plan.identities, plan.wanted, plan.retired)
    return ResetDone(done, generation, landed.version)


def _wanted(
    log: KafkaLog, partitions: list[str], known: Positions, found: Mapping[str, int], target: Target | None
) -> dict[str, Wanted]:
    """Return the wanted offset of every partition of every topic in question."""
    anew = {topic for topic, identity in known.identities.items() if identity not in (None, found[topic])}
    if target is None:
        if not anew:
            raise ArgumentError(
                "no topic was made anew since it was read, so it has to be said where to go on. Try: one of "
                "--to-beginning, --to-end, --to-time TIME, --to-offsets TOPIC/PARTITION=OFFSET"
            )
        return ToBeginning().wanted(log, [name for name in partitions if topic_of(name) in anew])
    given = target.wanted(log, partitions)
    topics = {topic_of(name) for name in given}
    rest = [name for name in partitions if topic_of(name) in topics and name not in given]
    missing = [name for name in rest if topic_of(name) in anew]
    if missing:
        message = f"expected an offset for every partition of a topic made anew, {', '.join(missing)} have none"
        raise ArgumentError(f"{message}. Try: --to-offsets {missing[0]}=0 for each")
    return given | ToBeginning().wanted(log, rest)


def _moves(known: Positions, found: Mapping[str, int], wanted: Mapping[str, Wanted]) -> tuple[Move, ...]:
    moves = []
    for name in sorted(set(wanted) & set(known.next), key=by_number):
        now, topic, target = known.next[name], topic_of(name), wanted[name]
        new_topic = known.identities[topic] not in (None, found[topic])
        stays = target.at_least and not new_topic and now is not None and now > target.offset
        moves.append(Move(name, now, now if stays and now is not None else target.offset, new_topic))
    return tuple(moves)


def _check(moves: tuple[Move, ...], log: KafkaLog) -> None:
    names = [move.partition for move in moves]
    first, end = log.beginning(names), log.end(names)
    for move in moves:
        name, now = move.partition, move.now
        if move.skipped < 0:
            raise ArgumentError(
                f"{name}: the position is {now}, going back to {move.target} is refused: what the records in between "
                "gave is in the table already and would be there twice. Try: a later offset; to make rows again, "
                "run the batch runtime over their days"
            )
        if now is not None and not move.new_topic and now > end[name]:
            raise ArgumentError(
                f"{name}: the position is {now}, the log ends at {end[name]}: records that are in the table are gone "
                "from the topic, and going back within one topic is refused. Try: check streaming.source.servers; if "
                "the log was truncated, make the topic anew: then it has offsets of its own"
            )
        if move.changes and not first[name] <= move.target <= end[name]:
            message = f"{name}: expected an offset from {first[name]} to {end[name]}, got {move.target}"
            raise ArgumentError(f"{message}. Try: --to-beginning or --to-end")


def _nothing_moves(moves: tuple[Move, ...]) -> str:
    places = ", ".join(f"{move.partition} at {move.now}" for move in moves[:4])
    return (
        f"nothing to move: every position is there or past it already ({places}), and going back within one topic is "
        "refused, since the rows would be in the table twice. Try: a later place; to make rows again, run the batch "
        "runtime over their days"
    )


def _retired(snapshot: Snapshot, pipeline: str, topic: str, partitions: list[str]) -> Iterator[str]:
    number = sum(topic_of(name) == topic for name in partitions)  # Kafka numbers partitions from 0, without gaps
    while snapshot.transaction(transactions.position(pipeline, f"{topic}/{number}")) is not None:
        yield f"{topic}/{number}"
        number += 1
