"""Where a pipeline stands, from what is in its table and what Kafka says: for a person at 3 a.m., or for a program.

Everything but the lag comes from the table alone, so it can be had while nothing runs and while Kafka is away.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from trivium.config.pipeline import Pipeline
from trivium.connectors.kafka_log import KafkaLog
from trivium.contract.clock import Clock
from trivium.contract.errors import SourceError
from trivium.delivery import dead_letters, ledger, transactions
from trivium.delivery.breaker_record import tripped
from trivium.delivery.positions import Positions
from trivium.delivery.snapshot import Snapshot
from trivium.engine.outcomes import Counts, merge_counts
from trivium.operations.tables import existing


@dataclass(frozen=True)
class PartitionStatus:
    """One partition: the table's position, the end of its log and what lies between (None: Kafka did not say).

    `newest_record_us` is the time of the newest committed record, in microseconds since 1970 UTC.
    """

    partition: str
    position: int | None
    end: int | None = None
    newest_record_us: int | None = None

    @property
    def lag(self) -> int | None:
        """Offsets that wait."""
        return None if self.end is None or self.position is None else max(0, self.end - self.position)


@dataclass(frozen=True)
class RoadStatus:
    """One runtime's part of the table; `last_commit_us` is since 1970 UTC, `stopped` a tripped breaker's reason."""

    runtime: str
    generation: int | None
    last_commit_us: int | None
    commits: int
    counts: dict[str, Counts] = field(default_factory=dict)
    stopped: str | None = None


@dataclass(frozen=True)
class Status:
    """A pipeline's table, its roads, and the partitions of its topics. `kafka` says why the ends are not known."""

    pipeline: str
    table: str
    version: int
    dead_letters: int
    roads: tuple[RoadStatus, ...]
    partitions: tuple[PartitionStatus, ...] = ()
    kafka: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The status as plain data, each partition with its lag."""
        document = asdict(self)
        for plain, each in zip(document["partitions"], self.partitions, strict=True):
            plain["lag"] = each.lag
        return document


def status_of(pipeline: Pipeline, clock: Clock) -> Status:
    """Where the pipeline stands now.

    Raises:
        ArgumentError: there is no table yet.
    """
    config = pipeline.config
    snapshot = Snapshot.latest(existing(config.table.path))
    history = ledger.commits(config.table.path)
    partitions, problem = _partitions(pipeline, snapshot, history, clock)
    return Status(
        pipeline=pipeline.name,
        table=config.table.path,
        version=snapshot.version,
        dead_letters=_letters(pipeline),
        roads=tuple(_road(pipeline, runtime, snapshot, history) for runtime in _roads(pipeline)),
        partitions=partitions,
        kafka=problem,
    )


def _roads(pipeline: Pipeline) -> list[str]:
    sections = {"batch": pipeline.config.batch, "streaming": pipeline.config.streaming}
    return [name for name, section in sections.items() if section is not None]


def _road(pipeline: Pipeline, runtime: str, snapshot: Snapshot, history: Sequence[ledger.Commit]) -> RoadStatus:
    own = [commit for commit in history if commit.metadata.get("runtime") == runtime and "balance" in commit.metadata]
    # Each batch commit says what the table holds of its days; only a stream's add up.
    counting = own if runtime == "streaming" else own[-1:]
    return RoadStatus(
        runtime=runtime,
        generation=snapshot.transaction(transactions.generation(pipeline.name, runtime)),
        last_commit_us=own[-1].timestamp * 1000 if own else None,
        commits=len(own),
        counts=merge_counts(_balance(commit) for commit in counting),
        stopped=tripped(pipeline.config.table.path, runtime),
    )


def _balance(commit: ledger.Commit) -> dict[str, Counts]:
    return {name: Counts(**each) for name, each in json.loads(commit.metadata["balance"]).items()}


def _letters(pipeline: Pipeline) -> int:
    return int(dead_letters.read(pipeline.config.dead_letters.path, pipeline.config.table.path).num_rows)


def _partitions(
    pipeline: Pipeline, snapshot: Snapshot, history: Sequence[ledger.Commit], clock: Clock
) -> tuple[tuple[PartitionStatus, ...], str | None]:
    if pipeline.config.streaming is None:
        return (), None
    newest = _newest(history)
    log = KafkaLog(pipeline.kafka_source(), pipeline.kafka_password(), clock)
    try:
        names = log.partitions()
        ends, problem = log.end(names), None
    except SourceError as error:
        names, ends, problem = sorted(newest), {}, str(error)
    finally:
        log.close()
    positions = Positions.of(snapshot, pipeline.name, names).next
    found = (PartitionStatus(name, positions[name], ends.get(name), newest.get(name)) for name in names)
    return tuple(found), problem


def _newest(history: Sequence[ledger.Commit]) -> dict[str, int | None]:
    """The time of each partition's newest committed record, as the commits say."""
    newest: dict[str, int | None] = {}
    for commit in history:
        for name, each in json.loads(commit.metadata.get("ranges", "{}")).items():
            newest[name] = each["newest_us"] or newest.get(name)
    return newest
