"""Status of a pipeline, from its table and from Kafka: for a person at 3 a.m., or for a program.

Everything but the lag comes from the table alone, so it can be had while nothing runs and while Kafka is away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from trivium.config.pipeline import Pipeline
from trivium.connectors.kafka.cluster import KafkaLog
from trivium.core.clock import Clock
from trivium.core.errors import SourceError
from trivium.delivery.commit.batch import RUNTIME as BATCH
from trivium.delivery.commit.breaker_record import tripped
from trivium.delivery.commit.lookups import lookups_in
from trivium.delivery.commit.parked_types import parked_days, parked_types
from trivium.delivery.commit.positions import RUNTIME as STREAMING
from trivium.delivery.commit.positions import Positions
from trivium.delivery.commit.stream import OffsetRange
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.maintenance import ledger
from trivium.delivery.maintenance.small_files import SmallFiles, small_files
from trivium.engine.lookups.usage import LookupUse, merged_use
from trivium.engine.outcomes import Counts, merge_counts
from trivium.operations.plans.versions import versions_of
from trivium.operations.tables import letters_table, owned

_RECENT: Final = 100
"""Commits of a stream that show how its lookups do."""


@dataclass(frozen=True)
class PartitionStatus:
    """One partition: the table's position, the end of its log and what lies between (None: Kafka did not say).

    `newest_record_us` is the time of the newest committed record, in microseconds since 1970 UTC; `lag`
    counts the offsets that wait.
    """

    partition: str
    position: int | None
    end: int | None = None
    newest_record_us: int | None = None
    lag: int | None = field(init=False)

    def __post_init__(self) -> None:
        lag = None if self.end is None or self.position is None else max(0, self.end - self.position)
        object.__setattr__(self, "lag", lag)


@dataclass(frozen=True)
class RuntimeStatus:
    """One runtime's part of the table; `last_commit_us` is since 1970 UTC, `stopped` a tripped breaker's reason."""

    runtime: str
    generation: int | None
    last_commit_us: int | None
    commits: int
    counts: dict[str, Counts] = field(default_factory=dict)
    stopped: str | None = None


@dataclass(frozen=True)
class LookupStatus:
    """The use of a lookup in batch's last commit, or in a stream's last 100."""

    runtime: str
    lookup: str
    use: LookupUse


@dataclass(frozen=True)
class TypeVersions:
    """Event days of batch that each executor version of a type made; `current` is today's, None: it is not listed."""

    event_type: str
    current: str | None
    days: dict[str, int]


@dataclass(frozen=True)
class Parked:
    """Inputs of an event type that wait for a replay; `since` and `message` while it is held back.

    `days` are the event days that batch has left out, empty for a stream.
    """

    event_type: str
    runtime: str
    inputs: int
    since: str | None
    message: str | None
    days: str = ""


@dataclass(frozen=True)
class TypeOwner:
    """The owner and the description of an event type, as the pipeline file says them."""

    owner: str | None
    description: str | None


@dataclass(frozen=True)
class Status:
    """A pipeline's table, its runtimes, and the partitions of its topics. `kafka` says why the ends are not known.

    `parked` are the event types with parked inputs. `small_files` are those of streams, for `trivium maintain` to join.
    """

    pipeline: str
    table: str
    version: int
    dead_letters: int
    parked: tuple[Parked, ...]
    runtimes: tuple[RuntimeStatus, ...]
    partitions: tuple[PartitionStatus, ...] = ()
    kafka: str | None = None
    versions: tuple[TypeVersions, ...] = ()
    small_files: SmallFiles = field(default_factory=SmallFiles)
    owners: dict[str, TypeOwner] = field(default_factory=dict)
    lookups: tuple[LookupStatus, ...] = ()


@dataclass(frozen=True)
class LogEnds:
    """Answer of Kafka: the end of the log of each partition, or the `problem` instead."""

    ends: Mapping[str, int | None] = field(default_factory=dict)
    problem: str | None = None


def status_of(pipeline: Pipeline, clock: Clock) -> Status:
    """Return where the pipeline stands now, with the ends of its topics' logs.

    Raises:
        ArgumentError: there is no table yet, or it is another pipeline's.
    """
    return with_ends(table_status(pipeline), pipeline, log_ends(pipeline, clock))


def table_status(pipeline: Pipeline) -> Status:
    """Return what the table alone says: all but the ends of the logs, of the partitions that were ever read.

    Raises:
        ArgumentError: there is no table yet, or it is another pipeline's.
    """
    config = pipeline.config
    snapshot = owned(config.table.path, pipeline.name)
    history = ledger.commits(config.table.path)
    newest = {} if config.streaming is None else _newest(history)
    letters = _letters(pipeline)
    return Status(
        pipeline=pipeline.name,
        table=config.table.path,
        version=snapshot.version,
        dead_letters=letters.rejected,
        parked=_parked(pipeline, letters),
        runtimes=tuple(_runtime(pipeline, name, snapshot, history) for name in _sections(pipeline)),
        partitions=_partitions(pipeline, snapshot, sorted(newest), newest),
        versions=_versions(pipeline, snapshot),
        small_files=small_files(snapshot),
        owners={
            each.type: TypeOwner(each.owner, each.description)
            for each in config.executors
            if each.owner or each.description
        },
        lookups=tuple(each for name in _sections(pipeline) for each in _lookups(name, history)),
    )


def log_ends(pipeline: Pipeline, clock: Clock) -> LogEnds:
    """Ask Kafka for the ends of the topics' logs; takes up to the source's time-out. A batch pipeline has none."""
    if pipeline.config.streaming is None:
        return LogEnds()
    log = KafkaLog(pipeline.kafka_source(), pipeline.kafka_password(), clock)
    try:
        return LogEnds(log.end(log.partitions()))
    except SourceError as error:
        return LogEnds(problem=str(error))
    finally:
        log.close()


def with_ends(status: Status, pipeline: Pipeline, found: LogEnds) -> Status:
    """Return the status with the ends of the logs, and the partitions that were never read."""
    if found.problem is not None or not found.ends:
        return replace(status, kafka=found.problem)
    newest = {each.partition: each.newest_record_us for each in status.partitions}
    snapshot = Snapshot.latest(status.table)
    if snapshot.version != status.version:
        snapshot = Snapshot.at(status.table, status.version)
    known = _partitions(pipeline, snapshot, list(found.ends), newest)
    return replace(status, partitions=tuple(replace(each, end=found.ends[each.partition]) for each in known))


def _versions(pipeline: Pipeline, snapshot: Snapshot) -> tuple[TypeVersions, ...]:
    today = {name: bound.version for name, bound in pipeline.executors.items()}
    return tuple(
        TypeVersions(name, today.get(name), {version: len(days) for version, days in versions.items()})
        for name, versions in versions_of(snapshot).items()
    )


def _sections(pipeline: Pipeline) -> list[str]:
    sections = {"batch": pipeline.config.batch, "streaming": pipeline.config.streaming}
    return [name for name, section in sections.items() if section is not None]


def _runtime(pipeline: Pipeline, runtime: str, snapshot: Snapshot, history: Sequence[ledger.Commit]) -> RuntimeStatus:
    own = [commit for commit in history if commit.metadata.get("runtime") == runtime and "balance" in commit.metadata]
    # Each batch commit says what the table holds of its days; only a stream's add up.
    counting = own if runtime == "streaming" else own[-1:]
    return RuntimeStatus(
        runtime=runtime,
        generation=snapshot.transaction(transactions.generation(pipeline.name, runtime)),
        last_commit_us=own[-1].timestamp * 1000 if own else None,
        commits=len(own),
        counts=merge_counts(_balance(commit) for commit in counting),
        stopped=tripped(pipeline.config.table.path, runtime),
    )


def _lookups(runtime: str, history: Sequence[ledger.Commit]) -> list[LookupStatus]:
    own = [commit for commit in history if commit.metadata.get("runtime") == runtime and "balance" in commit.metadata]
    last = own[-_RECENT:] if runtime == "streaming" else own[-1:]
    used = merged_use(lookups_in(commit.metadata) for commit in last)
    return [LookupStatus(runtime, name, use) for name, use in sorted(used.items())]


def _balance(commit: ledger.Commit) -> dict[str, Counts]:
    return msgspec.json.decode(commit.metadata["balance"], type=dict[str, Counts])


def _letters(pipeline: Pipeline) -> dead_letters.LetterCount:
    uri = letters_table(pipeline.config.dead_letters.path)
    nothing = dead_letters.LetterCount(0, {})
    return nothing if uri is None else dead_letters.count(uri, pipeline.config.table.path)


def _parked(pipeline: Pipeline, letters: dead_letters.LetterCount) -> tuple[Parked, ...]:
    held = parked_types(pipeline.config.table.path, STREAMING)
    found = []
    for name in sorted({*held, *letters.parked}):
        record = held.get(name)
        since, message = (None, None) if record is None else (record.since, record.message)
        found.append(Parked(name, STREAMING, letters.parked.get(name, 0), since, message))
    return (*found, *parked_by_batch(pipeline.config.table.path))


def parked_by_batch(uri: str) -> list[Parked]:
    """Return the types that batch runs into the table at `uri` have left out, and of which event days."""
    held, left = parked_types(uri, BATCH), parked_days(uri)
    found = []
    for name in sorted({*held, *left}):
        record, days = held.get(name), left.get(name, [])
        since, message = (None, None) if record is None else (record.since, record.message)
        named = ", ".join(str(each.window or "all event days") for each in days)
        found.append(Parked(name, BATCH, sum(each.inputs for each in days), since, message, named))
    return found


def _partitions(
    pipeline: Pipeline, snapshot: Snapshot, names: list[str], newest: Mapping[str, int | None]
) -> tuple[PartitionStatus, ...]:
    positions = Positions.of(snapshot, pipeline.name, names).next
    return tuple(PartitionStatus(name, positions[name], newest_record_us=newest.get(name)) for name in names)


def _newest(history: Sequence[ledger.Commit]) -> dict[str, int | None]:
    """Return the time of each partition's newest committed record, as the commits record it."""
    newest: dict[str, int | None] = {}
    for commit in history:
        for name, each in msgspec.json.decode(commit.metadata.get("ranges", "{}"), type=dict[str, OffsetRange]).items():
            # A record without a time says -1.
            newest[name] = each.newest_us if each.newest_us > 0 else newest.get(name)
    return newest
