"""Plan of a batch run, made without doing any of it: takes no generation, creates no table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from trivium.config.pipeline import Pipeline
from trivium.connectors import open_source, place_of
from trivium.core.clock import Clock, SystemClock
from trivium.delivery.commit.claims import Runs
from trivium.delivery.commit.parked_types import still_parked
from trivium.delivery.commit.replace import RUNTIME, Replacement
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import SchemaConflict
from trivium.delivery.table import written_columns
from trivium.operations.plans.parts import (
    BreakerSummary,
    ExecutorSummary,
    StreamingSummary,
    TableSummary,
    breaker,
    executors,
    lookups,
    streaming,
    table,
)
from trivium.operations.plans.versions import Versions, stale_days, versions_of
from trivium.runtimes.batch.job import run_name
from trivium.runtimes.batch.prepare import BatchArguments, check_lookups, run_store, unit_context
from trivium.runtimes.batch.resumption import made_by, resumable
from trivium.runtimes.batch.source import Source, batch_section, read_source

GUARANTEES: Final = (
    "one commit: readers see the old partitions until it lands, and the new ones whole afterwards",
    "every input ends as rows, dropped, rejected or out of window; the balance is kept with the commit",
    "rejected inputs are kept whole as dead letters, which count once the commit has landed",
    "a re-run changes nothing in content; a killed run resumes from its finished units",
    "streaming's files are never touched, nor rows of event types that the pipeline does not list",
)


@dataclass(frozen=True)
class SourceSummary:
    """Summary of the source to read. `late_days` are source days after the window; `columns` of `columns_of` are read.

    `notes` are sentences on what one may not expect of it.
    """

    path: str
    files: int
    rows: int
    bytes: int
    days: tuple[str, ...]
    late_days: tuple[str, ...]
    columns: tuple[str, ...]
    columns_of: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchPlan:
    """A run before it starts. `replaced` in the table maps event days to how many of batch's files would go.

    `left_out` are event days that would stay as they are, since source days are missing, and `parked` are event types
    that would, since they are held back. `versions` are the event days of each type that have rows by each executor
    version, `stale` those that today's did not make.
    """

    pipeline: str
    logic: str
    plan: str
    window: tuple[str, str] | None
    source: SourceSummary
    executors: tuple[ExecutorSummary, ...]
    lookups: tuple[dict[str, Any], ...]
    table: TableSummary
    dead_letters: str
    units: int
    units_finished: int
    breaker: BreakerSummary | None
    streaming: StreamingSummary | None
    left_out: tuple[str, ...] = ()
    parked: tuple[str, ...] = ()
    versions: Versions = field(default_factory=dict)
    stale: Mapping[str, list[str]] = field(default_factory=dict)
    guarantees: tuple[str, ...] = GUARANTEES


def plan_batch(pipeline: Pipeline, arguments: BatchArguments, clock: Clock | None = None) -> BatchPlan:
    """Return what `run_batch` with these arguments would read, write and replace.

    Raises:
        SourceError, LookupAnswerError, RunError: what would stop the run before it starts.
    """
    pipeline = pipeline.of_types(arguments.types) if arguments.types else pipeline
    config = pipeline.config
    parked = tuple(still_parked(config.table.path, RUNTIME, config.breaker, pipeline.executors))
    source = read_source(pipeline, arguments.window(), arguments.missing_days, parked)
    scope = source.scope
    snapshots = check_lookups(pipeline, clock or SystemClock())
    uri = pipeline.config.table.path
    snapshot = Snapshot.find(uri)
    window = scope.window
    versions = versions_of(snapshot) if snapshot else {}
    return BatchPlan(
        pipeline=pipeline.name,
        logic=pipeline.plan.logic_short,
        plan=pipeline.plan.plan_short,
        window=None if window is None else (window.start.isoformat(), window.end.isoformat()),
        source=_source(pipeline, source, window),
        executors=executors(pipeline),
        lookups=lookups(pipeline),
        table=table(pipeline, snapshot, _replaced(snapshot, scope) if snapshot else {}),
        dead_letters=pipeline.config.dead_letters.path,
        units=len(source.units),
        units_finished=_finished(pipeline, source, snapshot, snapshots, parked),
        breaker=breaker(pipeline),
        streaming=streaming(pipeline),
        left_out=tuple(sorted(scope.left_out)),
        parked=parked,
        versions=versions,
        stale=stale_days(pipeline, versions),
    )


def _source(pipeline: Pipeline, source: Source, window: Window | None) -> SourceSummary:
    section = batch_section(pipeline).source
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    reader = open_source(section, declarations, pipeline.config.type_column)
    ranges = [each for unit in source.units for each in unit.ranges]
    sizes = {each.path: each.size for each in ranges}
    read = [file for file in source.plan.files if file.file.path in sizes]
    columns = dict.fromkeys(name for file in read for name in reader.columns_of(file))
    days = sorted(day for day in source.days.read if day)
    late = [day for day in days if window is not None and date.fromisoformat(day) >= window.end]
    return SourceSummary(
        path=place_of(section),
        files=len(sizes),
        rows=sum(each.rows for each in ranges),
        bytes=sum(sizes.values()),
        days=tuple(day for day in days if day not in late),
        late_days=tuple(late),
        columns=tuple(columns),
        columns_of=max((len({*file.schema.names, *reader.columns_of(file)}) for file in read), default=0),
        notes=source.plan.notes,
    )


def _replaced(snapshot: Snapshot, scope: Scope) -> dict[str, int]:
    removed = Replacement(scope).removed(snapshot)
    return dict(sorted(Counter(str(file.partition_values["event_date"]) for file in removed).items()))


def _finished(
    pipeline: Pipeline,
    source: Source,
    snapshot: Snapshot | None,
    lookups: Mapping[str, str],
    parked: tuple[str, ...],
) -> int:
    if snapshot is None:
        return 0
    try:
        made = made_by(pipeline.writing(written_columns(snapshot, pipeline.table_columns)), lookups)
    except SchemaConflict:
        return 0  # a run would be refused, which the plan says elsewhere
    context = unit_context(pipeline, source.scope, parked)
    runs = Runs(pipeline.config.table.path, pipeline.name, snapshot)
    markers = run_store(pipeline, run_name(context)).load(runs.replaced)
    return len(resumable(markers, {unit.key(context) for unit in source.units}, made).done)
