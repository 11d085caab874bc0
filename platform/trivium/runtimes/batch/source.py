"""The source of a batch run as the run uses it: the files and days it reads, its units, and what it replaces."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from trivium.config.model.pipeline import Batch
from trivium.config.pipeline import Pipeline
from trivium.connectors import open_source
from trivium.connectors.archive.units import SourcePlan, Unit
from trivium.contract.source import SourceSettings
from trivium.core.errors import RunError
from trivium.delivery.commit.batch import batch_sources
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.delta.transactions import ALL_DAYS
from trivium.runtimes.batch.source_days import MissingDays, SourceDays, source_days


@dataclass(frozen=True)
class Source:
    """The source as the run uses it: its files, the units to run, its days, and what of the table the run replaces."""

    plan: SourcePlan
    units: tuple[Unit, ...]
    days: SourceDays
    scope: Scope

    def complete(self, given: datetime | None) -> dict[str, int]:
        """Return for each source day the moment before which it was complete: as given, or its oldest file's time.

        Nobody can tell of a source without days, unless it is given: 0.
        """
        if given is not None:
            aware = given if given.tzinfo else given.replace(tzinfo=UTC)
            return {day or ALL_DAYS: int(aware.timestamp() * 1_000_000) for day in self.days.read}
        return {day or ALL_DAYS: moment if day else 0 for day, moment in self.days.read.items()}


def batch_section(pipeline: Pipeline) -> Batch:
    """Return the pipeline's `batch` section, which compiling for batch has made sure of."""
    assert pipeline.config.batch is not None
    return pipeline.config.batch


def read_source(
    pipeline: Pipeline, window: Window | None, missing_days: MissingDays, parked: Collection[str] = ()
) -> Source:
    """List the source, hold its days to what the run needs, and cut it into units; `parked` types are left out.

    Raises:
        SourceError: a broken file, or columns that cannot be read as declared.
        RunError: see `source_of`.
    """
    batch = batch_section(pipeline)
    if window is not None:
        _check_days(batch.source)
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    plan = open_source(batch.source, declarations, pipeline.config.type_column).plan()
    scope = Scope(window, frozenset(pipeline.executors) - frozenset(parked), untyped=not pipeline.narrowed)
    return source_of(plan, batch, pipeline.config.table.path, scope, missing_days)


def source_of(plan: SourcePlan, batch: Batch, table: str, scope: Scope, missing_days: MissingDays) -> Source:
    """Return what a run over a scope reads of a source, and the scope without the event days it has to leave out.

    Raises:
        RunError: source days are missing and `missing_days` says to refuse, or there is nothing to read.
    """
    days = source_days(batch, plan, table, scope, missing_days)
    chosen = None if scope.window is None else frozenset(day for day in days.read if day is not None)
    units = tuple(plan.units(batch.unit_rows, chosen))
    if not units:
        raise RunError(_nothing_to_read(plan.days(), scope.window))
    return Source(plan, units, days, replace(scope, left_out=days.left_out))


def check_nothing_left_out(table: str, source: Source) -> None:
    """Prove that the window's batch rows come from files this run reads, or that are gone: else it would lose them.

    Raises:
        RunError: rows of the window came from a source day the window does not read; names one of its files.
    """
    if source.scope.window is None:
        return
    unread = {each.file.path for each in source.plan.files if each.days.isdisjoint(source.days.read)}
    lost = sorted(batch_sources(table, source.scope).keys() & unread)
    if lost:
        more = " and others" if len(lost) > 1 else ""
        raise RunError(
            f"the table's rows of {source.scope.window} also come from {lost[0]}{more}, which this window does not "
            "read: replacing them would lose those rows. Try: a wider --from and --to, a larger batch.late_days, or a "
            "run over all of the source"
        )


def _check_days(source: SourceSettings) -> None:
    if source.day_column is None:
        raise RunError(
            "a window needs to know the days of the source. Try: set batch.source.day_column to the folder or column "
            "that holds them, or run without --from and --to"
        )


def _nothing_to_read(every: Mapping[str | None, int], window: Window | None) -> str:
    days = sorted(day for day in every if day)
    there = f"the source has {days[0]} to {days[-1]}" if days else "the source has no rows at all"
    what, hint = (f"source days with rows in {window}", "another --from and --to") if window else ("rows", "the path")
    return f"expected {what}, found none ({there}); replacing what is there by nothing was not asked for. Try: {hint}"
