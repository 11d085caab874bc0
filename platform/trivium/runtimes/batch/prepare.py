"""Preparation of a batch run before its first event: its window, its generation, its units and which are done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from trivium.config.pipeline import Pipeline
from trivium.connectors import open_lookup, snapshot_of
from trivium.core.clock import Clock
from trivium.core.errors import RunError
from trivium.delivery.commit.breaker_record import check_restart
from trivium.delivery.commit.claims import Runs, claim_generation
from trivium.delivery.commit.parked_types import ParkedType
from trivium.delivery.commit.replace import RUNTIME, Replacement
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.delta import transactions
from trivium.delivery.delta.features import check_replaceable
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.unit_markers import RunStore, UnitMarker
from trivium.delivery.plans import keep_plan
from trivium.delivery.storage.storage import Storage
from trivium.delivery.storage.token import write_token
from trivium.delivery.table import events_table, open_table, written_columns
from trivium.runtimes.batch.job import Job, scope_json
from trivium.runtimes.batch.parked import Parking, left_out
from trivium.runtimes.batch.resumption import made_by, resumable
from trivium.runtimes.batch.source import Source, batch_section, check_nothing_left_out, read_source
from trivium.runtimes.batch.source_days import MissingDays


@dataclass(frozen=True)
class BatchArguments:
    """Settings of one run beside the pipeline file.

    `start` and `end` are event dates, half open; a `complete_as_of` without a zone is UTC. `missing_days` says what
    becomes of a run whose source lacks days: it is refused, or leaves their event days as they are. `types` are the
    event types to make anew, none: all of the pipeline's. `parked` says what becomes of types that are parked.
    """

    start: date | None = None
    end: date | None = None
    complete_as_of: datetime | None = None
    address: str | None = None
    missing_days: MissingDays = "refuse"
    types: tuple[str, ...] = ()
    parked: Parking = "leave"

    def window(self) -> Window | None:
        """Return the window, or None for all of the source.

        Raises:
            RunError: one side is missing, or the window is empty.
        """
        if self.start is None and self.end is None:
            return None
        if self.start is None or self.end is None or self.start >= self.end:
            raise RunError(
                f"expected --from before --to, got --from {self.start} --to {self.end}. "
                "Try: --from 2013-01-01 --to 2013-02-01 (the end is not included)"
            )
        return Window(self.start, self.end)


@dataclass(frozen=True)
class Prepared:
    """A run that may start. `done` holds the markers of units a killed run finished, by what `runs` knew of it.

    `parked` are the types that it leaves out.
    """

    pipeline: Pipeline
    job: Job
    source: Source
    done: Mapping[str, UnitMarker]
    runs: Runs
    complete: Mapping[str, int]
    parked: Mapping[str, ParkedType] = field(default_factory=dict)


def check_append_only(table: Snapshot, scope: Scope) -> None:
    """Prove that an append-only table has no batch rows that the run would replace.

    Raises:
        PreconditionFailed: it has.
    """
    if Replacement(scope).removed(table):
        check_replaceable(table.head)


def check_lookups(pipeline: Pipeline, clock: Clock) -> dict[str, str]:
    """Load every lookup once, so that a broken one stops the run before it starts; returns their snapshots.

    Raises:
        SourceError, LookupAnswerError: a lookup that cannot be used as declared.
    """
    snapshots = {}
    for name, bound in pipeline.lookups.items():
        snapshots[name] = snapshot_of(open_lookup(bound, clock, pinned=True))
    return snapshots


def prepare(pipeline: Pipeline, arguments: BatchArguments, clock: Clock) -> Prepared:
    """Read the source, open the tables, take the generation, find finished units.

    Raises:
        TriviumError: the run cannot start; nothing was changed but, at most, the generation.
    """
    pipeline = pipeline.of_types(arguments.types) if arguments.types else pipeline
    parked = left_out(pipeline, arguments.parked)
    before = _committed(pipeline)
    source = read_source(pipeline, arguments.window(), arguments.missing_days, parked)
    lookups = check_lookups(pipeline, clock)
    config = pipeline.config
    spec = events_table(config.table.path, pipeline.name, pipeline.table_columns, config.table.partition_by)
    table = open_table(spec, clock)
    pipeline = pipeline.writing(written_columns(table, pipeline.table_columns))
    check_append_only(table, source.scope)
    open_table(dead_letters.dead_letter_table(config.dead_letters.path, pipeline.name))
    check_nothing_left_out(config.table.path, source)
    keep_plan(config.table.path, pipeline.plan)
    check_restart(config.table.path, RUNTIME, config.breaker, pipeline.plan.logic)
    generation = claim_number(pipeline, source.scope, clock)
    if _committed(pipeline) != before:  # perhaps by a run that this one took over: what was checked is out of date
        source = read_source(pipeline, arguments.window(), arguments.missing_days, parked)
        check_nothing_left_out(config.table.path, source)
    complete = source.complete(arguments.complete_as_of)
    return _job(pipeline, source, lookups, generation, complete, parked)


def _job(
    pipeline: Pipeline,
    source: Source,
    lookups: Mapping[str, str],
    generation: int,
    complete: Mapping[str, int],
    parked: Mapping[str, ParkedType],
) -> Prepared:
    """Return the run with its job and the units of it that a killed run finished."""
    runs, made, context = known_runs(pipeline), made_by(pipeline, lookups), unit_context(pipeline, source.scope, parked)
    token = write_token(pipeline.config.table.path)
    root = str(pipeline.root)
    columns = pipeline.table_columns
    plan, secrets = pipeline.plan.json, pipeline.secrets
    job = Job(
        plan, secrets, root, generation, source.scope, context, lookups, token, columns, made, parked=tuple(parked)
    )
    markers = run_store(pipeline, job.name).load(runs.replaced)
    found = resumable(markers, {unit.key(context) for unit in source.units}, made)
    return Prepared(pipeline, replace(job, rests=found.rests), source, found.done, runs, complete, parked)


def claim_number(pipeline: Pipeline, scope: Scope, clock: Clock, run: int = 0) -> int:
    """Take a generation for a run over a scope, the first one or, for `run`, another one; remove letters that ended.

    Raises:
        Fenced: a newer run took over.
    """
    table, letters = pipeline.config.table.path, pipeline.config.dead_letters.path
    generation = claim_generation(table, letters, pipeline.name, scope, clock, run)
    dead_letters.remove_uncounted(letters, table, pipeline.name, generation, clock)
    return generation


def unit_context(pipeline: Pipeline, scope: Scope, parked: Collection[str] = ()) -> dict[str, object]:
    """Return what a unit's result depends on beside its rows and what makes each event type."""
    return {
        "scope": scope_json(scope),
        **({"parked": sorted(parked)} if parked else {}),
        "source": batch_section(pipeline).source.model_dump(mode="json"),
        "dead_letters": pipeline.config.dead_letters.path,
    }


def _committed(pipeline: Pipeline) -> int:
    """Return the generation of batch's newest commit."""
    found = Snapshot.find(pipeline.config.table.path)
    return (found.transaction(transactions.committed(pipeline.name)) or 0) if found else 0


def known_runs(pipeline: Pipeline) -> Runs:
    """Return what the table knows now of its batch runs."""
    uri = pipeline.config.table.path
    return Runs(uri, pipeline.name, Snapshot.latest(uri))


def run_store(pipeline: Pipeline, name: str) -> RunStore:
    """Open the store of finished units of runs with some arguments; see `Job.name`."""
    config = pipeline.config
    return RunStore(Storage(config.table.path), Storage(config.dead_letters.path), name)
