"""What a batch run knows before its first event: its window, its generation, its units and which are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from trivium.config.model import Batch, ParquetSource
from trivium.config.pipeline import Pipeline
from trivium.connectors.parquet_lookup import FROZEN, ParquetLookup, snapshot_of
from trivium.connectors.parquet_source import ParquetReader, SourcePlan, Unit
from trivium.contract.clock import Clock
from trivium.contract.errors import RunError
from trivium.delivery import dead_letters, transactions
from trivium.delivery.batch_commit import RUNTIME, Window, batch_sources
from trivium.delivery.breaker_record import check_restart
from trivium.delivery.generation import take_generation
from trivium.delivery.runs import RunStore, UnitMarker
from trivium.delivery.snapshot import Snapshot
from trivium.delivery.storage import Storage
from trivium.delivery.storage_token import write_token
from trivium.delivery.table import events_table, open_table
from trivium.delivery.table_features import check_replaceable
from trivium.runtimes.batch.job import Job, window_json


@dataclass(frozen=True)
class BatchArguments:
    """What a person says about one run beside the pipeline file.

    `start` and `end` are event dates, half open; a `complete_as_of` without a zone is UTC.
    """

    start: date | None = None
    end: date | None = None
    complete_as_of: datetime | None = None
    address: str | None = None

    def window(self) -> Window | None:
        """The window, or None for all of the source.

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
class Source:
    """The source as the run uses it: its files, the units to run, and the source days read."""

    plan: SourcePlan
    units: tuple[Unit, ...]
    days: Mapping[str | None, int]


@dataclass(frozen=True)
class Prepared:
    """A run that may start. `done` holds the markers of units a killed run finished."""

    pipeline: Pipeline
    job: Job
    source: Source
    done: Mapping[str, UnitMarker]
    committed: int
    complete_as_of: int = field(default=0)


def check_nothing_left_out(table: str, source: Source, window: Window) -> None:
    """Prove that the window's batch rows come from files this run reads, or that are gone: else it would lose them.

    Raises:
        RunError: rows of the window came from a source day the window does not read; names one of its files.
    """
    written = batch_sources(table, window)
    read = {each.path for unit in source.units for each in unit.ranges}
    there = {each.file.path for each in source.plan.files}
    lost = sorted((written & there) - read)
    if lost:
        raise RunError(
            f"the table's rows of {window} also come from {lost[0]}{' and others' if len(lost) > 1 else ''}, which "
            "this window does not read: replacing them would lose those rows. Try: a wider --from and --to, a larger "
            "batch.late_days, or a run over all of the source"
        )


def check_append_only(table: Snapshot, window: Window | None) -> None:
    """Prove that an append-only table has no batch rows that the run would replace.

    Raises:
        PreconditionFailed: it has.
    """
    own = (file.partition_values for file in table.active.values() if file.partition_values["_runtime"] == RUNTIME)
    if any(window is None or window.holds(values["event_date"]) for values in own):
        check_replaceable(table.table)


def batch_section(pipeline: Pipeline) -> Batch:
    """The pipeline's `batch` section; compiling for the batch road has made sure of it."""
    assert pipeline.config.batch is not None
    return pipeline.config.batch


def read_source(pipeline: Pipeline, window: Window | None) -> Source:
    """List the source and cut it into units for the window.

    Raises:
        SourceError: a broken file, or columns that cannot be read as declared.
        RunError: a window over a source without days, or nothing to read in it.
    """
    batch = batch_section(pipeline)
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    plan = ParquetReader(batch.source, declarations, pipeline.config.type_column).plan()
    every = plan.days()
    days = every if window is None else _days_read(batch, every, window)
    chosen = None if window is None else frozenset(day for day in days if day is not None)
    units = tuple(plan.units(batch.unit_rows, chosen))
    if not units:
        raise RunError(_nothing_to_read(every, window))
    return Source(plan, units, days)


def _days_read(batch: Batch, every: Mapping[str | None, int], window: Window) -> dict[str | None, int]:
    """The source days of a window and the `late_days` after it."""
    _check_days(batch.source)
    first, last = window.start.isoformat(), (window.end + timedelta(days=batch.late_days)).isoformat()
    return {day: at for day, at in every.items() if day is not None and first <= day < last}


def _nothing_to_read(every: Mapping[str | None, int], window: Window | None) -> str:
    days = sorted(day for day in every if day)
    there = f"the source has {days[0]} to {days[-1]}" if days else "the source has no rows at all"
    what, hint = (f"source days with rows in {window}", "another --from and --to") if window else ("rows", "the path")
    return f"expected {what}, found none ({there}); replacing what is there by nothing was not asked for. Try: {hint}"


def check_lookups(pipeline: Pipeline, clock: Clock) -> dict[str, str]:
    """Load every lookup once, so that a broken one stops the run before it starts; returns their snapshots.

    Raises:
        SourceError, LookupAnswerError: a lookup that cannot be used as declared.
    """
    snapshots = {}
    for name, bound in pipeline.lookups.items():
        snapshots[name] = snapshot_of(bound.config.path)
        ParquetLookup(bound, clock, refresh_seconds=FROZEN)
    return snapshots


def prepare(pipeline: Pipeline, arguments: BatchArguments, clock: Clock) -> Prepared:
    """Read the source, open the tables, take the generation, find finished units.

    Raises:
        TriviumError: the run cannot start; nothing was changed but, at most, the generation.
    """
    window = arguments.window()
    source = read_source(pipeline, window)
    lookups = check_lookups(pipeline, clock)
    config = pipeline.config
    spec = events_table(config.table.path, pipeline.name, pipeline.table_columns, config.table.partition_by)
    check_append_only(open_table(spec), window)
    open_table(dead_letters.dead_letter_table(config.dead_letters.path, pipeline.name))
    if window is not None:
        check_nothing_left_out(config.table.path, source, window)
    check_restart(config.table.path, RUNTIME, config.breaker, pipeline.plan.logic)
    generation = take_generation(config.table.path, config.dead_letters.path, pipeline.name, RUNTIME, clock)
    dead_letters.remove_uncounted(config.dead_letters.path, config.table.path, pipeline.name, generation, clock)
    committed = Snapshot.latest(config.table.path).transaction(transactions.committed(pipeline.name)) or 0
    context = unit_context(pipeline, window, lookups)
    token = write_token(config.table.path)
    root = str(pipeline.root)
    job = Job(pipeline.plan.json, pipeline.secrets, root, generation, window, context, lookups, token)
    markers = run_store(pipeline).load(committed)
    keys = {unit.key(context) for unit in source.units}
    done = {key: marker for key, marker in markers.items() if key in keys}
    return Prepared(pipeline, job, source, done, committed, _complete_as_of(arguments, source))


def unit_context(pipeline: Pipeline, window: Window | None, lookups: Mapping[str, str]) -> dict[str, object]:
    """What a unit's result depends on beside its rows; `lookups` maps names to snapshots."""
    return {
        "window": window_json(window),
        "lookups": dict(lookups),
        "source": batch_section(pipeline).source.model_dump(mode="json"),
        "dead_letters": pipeline.config.dead_letters.path,
    }


def run_store(pipeline: Pipeline) -> RunStore:
    """Where finished units are kept."""
    config = pipeline.config
    return RunStore(Storage(config.table.path), Storage(config.dead_letters.path), pipeline.plan.logic_short)


def _check_days(source: ParquetSource) -> None:
    if source.day_column is None:
        raise RunError(
            "a window needs to know the days of the source. Try: set batch.source.day_column to the folder or column "
            "that holds them, or run without --from and --to"
        )


def _complete_as_of(arguments: BatchArguments, source: Source) -> int:
    """Microseconds before which batch has seen everything: as told, or the oldest day's newest file."""
    told = arguments.complete_as_of
    if told is not None:
        aware = told if told.tzinfo else told.replace(tzinfo=UTC)
        return int(aware.timestamp() * 1_000_000)
    return min(source.days.values())
