"""The start of a stream, before its first record.

1. Open both tables (what is torn at the end of a log is moved aside); refuse to start on an unchanged tripped breaker.
   See which event types stay parked.
2. Compare the topics' identities with the table's; check that every position lies within its partition's log.
3. Take the next generation in both: from here on no older run commits anything. A start that is refused fences nobody.
4. Remove the dead letters that do not count; end a replay that was killed.
5. Give every partition without a position its first one, in a commit of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from trivium.config.model.streaming import Streaming
from trivium.config.pipeline import Pipeline
from trivium.connectors.kafka.cluster import KafkaLog
from trivium.core.clock import Clock
from trivium.core.errors import RunError
from trivium.delivery.commit.breaker_record import check_restart
from trivium.delivery.commit.generation import take_generation
from trivium.delivery.commit.parked_types import ParkedType, take_parked
from trivium.delivery.commit.positions import RUNTIME, Adoption, Positions, adopt, topic_of
from trivium.delivery.dead_letters.replayed import settle
from trivium.delivery.dead_letters.schema import dead_letter_table
from trivium.delivery.dead_letters.stream import CleanUp, remove_uncounted
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.plans import keep_plan
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import events_table, open_table, written_columns
from trivium.runtimes import steps

_log = logging.getLogger(__name__)


class Beginning(Protocol):
    """The offsets at which partitions without a position start."""

    def offsets(self, log: KafkaLog, partitions: list[str]) -> dict[str, int]:
        """Return the first position of each partition."""


class FromBeginning:
    """At the oldest record the log still holds."""

    def offsets(self, log: KafkaLog, partitions: list[str]) -> dict[str, int]:
        """Return the first position of each partition."""
        return log.beginning(partitions)


@dataclass(frozen=True)
class FromTime:
    """At the first record whose timestamp is this or later (microseconds since 1970 UTC)."""

    at_us: int

    def offsets(self, log: KafkaLog, partitions: list[str]) -> dict[str, int]:
        """Return the first position of each partition."""
        return log.at_time(partitions, self.at_us // 1000)


@dataclass(frozen=True)
class FromOffsets:
    """At named offsets, one for every partition."""

    given: Mapping[str, int]

    def offsets(self, log: KafkaLog, partitions: list[str]) -> dict[str, int]:
        """Return the first position of each partition.

        Raises:
            RunError: a partition has no offset or an unknown one has, or an offset lies outside the log.
        """
        if set(self.given) != set(partitions):
            message = f"expected an offset for each of {sorted(partitions)}, got them for {sorted(self.given)}"
            raise RunError(f"{message}. Try: --from-offsets {sorted(partitions)[0]}=0 for each partition")
        check_ranges(self.given, log)
        return dict(self.given)


@dataclass(frozen=True)
class Started:
    """A stream that may run.

    `columns` are the author's columns as the table takes them. `adopted` partitions have their first position from this
    start. `parked` are the event types that stay held back.
    """

    generation: int
    positions: dict[str, int]
    identities: Mapping[str, int]
    epochs: Mapping[str, int]
    columns: pa.Schema
    adopted: Mapping[str, int] = field(default_factory=dict)
    parked: Mapping[str, ParkedType] = field(default_factory=dict)


def streaming_section(pipeline: Pipeline) -> Streaming:
    """Return the pipeline's `streaming` section, which compiling for streaming has made sure of."""
    assert pipeline.config.streaming is not None
    return pipeline.config.streaming


def start_stream(pipeline: Pipeline, log: KafkaLog, beginning: Beginning | None, clock: Clock) -> Started:
    """Take the steps of this module; `beginning` is what the operator chose, if anything.

    Raises:
        TriviumError: the stream cannot start; nothing was changed but, at most, the generation.
    """
    config = pipeline.config
    partitions = log.partitions()
    identities = {topic: log.identity(topic) for topic in sorted(set(map(topic_of, partitions)))}
    columns = open_tables(pipeline, clock)
    keep_plan(config.table.path, pipeline.plan)
    check_restart(config.table.path, RUNTIME, config.breaker, pipeline.plan.logic)
    check_ranges(_known_positions(pipeline, partitions, identities, beginning), log)
    generation = take_over(pipeline, partitions, clock)
    parked = take_parked(config.table.path, RUNTIME, config.breaker, pipeline.executors)
    positions = _known_positions(pipeline, partitions, identities, beginning)
    new = [name for name in partitions if name not in positions]
    first = (beginning or FromBeginning()).offsets(log, new)
    adopted = adopt_partitions(pipeline, generation, first, identities, clock)
    epochs = Positions.of(Snapshot.latest(config.table.path), pipeline.name, partitions).epochs
    return Started(generation, positions | adopted, identities, epochs, columns, adopted, parked)


def _known_positions(
    pipeline: Pipeline, partitions: list[str], identities: Mapping[str, int], beginning: Beginning | None
) -> dict[str, int]:
    """Return the positions the table has, of topics that are still the same."""
    known = Positions.of(Snapshot.latest(pipeline.config.table.path), pipeline.name, partitions)
    known.check_identities(identities)
    positions = {name: at for name, at in known.next.items() if at is not None}
    if positions and beginning is not None:
        raise RunError(
            f"the table has positions already ({_few(positions)}), so this start cannot choose others. Try: without "
            "--from-time and --from-offsets; or move the positions on purpose: trivium reset-positions CONFIG"
        )
    return positions


def open_tables(pipeline: Pipeline, clock: Clock) -> pa.Schema:
    """Open both tables, or make them; return the author's columns as the table takes them."""
    config, author = pipeline.config, pipeline.table_columns
    table = open_table(events_table(config.table.path, pipeline.name, author, config.table.partition_by), clock)
    open_table(dead_letter_table(config.dead_letters.path, pipeline.name))
    return written_columns(table, author)


def take_over(pipeline: Pipeline, partitions: list[str], clock: Clock) -> int:
    """Take the next generation, and remove the dead letters that do not count; returns the generation."""
    config = pipeline.config
    generation = take_generation(config.table.path, config.dead_letters.path, pipeline.name, RUNTIME, clock)
    settle(config.dead_letters.path, config.table.path, clock)
    table, letters = Snapshot.latest(config.table.path), config.dead_letters.path
    clean_up = CleanUp(pipeline.name, generation, Storage(letters), table, tuple(partitions))
    removed = remove_uncounted(letters, clean_up, clock)
    if removed:
        _log.warning("%s: removed %d dead letters of an epoch that was never committed", letters, removed)
    return generation


def adopt_partitions(
    pipeline: Pipeline, generation: int, positions: Mapping[str, int], identities: Mapping[str, int], clock: Clock
) -> dict[str, int]:
    """Commit the first positions of partitions (step 5); returns them."""
    if not positions:
        return {}
    topics = {topic_of(name) for name in positions}
    own = {topic: value for topic, value in identities.items() if topic in topics}
    adopt(pipeline.config.table.path, Adoption(pipeline.name, generation, dict(positions), own), clock)
    _log.info("%s: first positions: %s", pipeline.config.table.path, _few(positions))
    steps.begin(f"reading for the first time: {_few(positions)}")
    return dict(positions)


def check_ranges(positions: Mapping[str, int], log: KafkaLog) -> None:
    """Prove that each position lies within its partition's log.

    Raises:
        RunError: it does not: records are gone, or the log is another one.
    """
    names = sorted(positions)
    first, end = log.beginning(names), log.end(names)
    for name in names:
        at = positions[name]
        if at < first[name]:
            raise RunError(
                f"{name}: the position is {at}, the log starts at {first[name]}: {first[name] - at} offsets are gone "
                "(retention, or delete-records), unread. Try: restore them from an archive by a batch run, then go "
                "on past the hole, which is recorded: trivium reset-positions CONFIG --to-beginning"
            )
        if at > end[name]:
            raise RunError(
                f"{name}: the position is {at}, the log ends at {end[name]}: this is not the log that was read. Try: "
                "check streaming.source.servers; what was read before a log was truncated stays in the table, so go on "
                "with a topic made anew (trivium reset-positions CONFIG), or into a new table"
            )


def _few(positions: Mapping[str, int]) -> str:
    named = [f"{name} at {at}" for name, at in sorted(positions.items())]
    return ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")
