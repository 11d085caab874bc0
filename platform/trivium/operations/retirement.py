"""Removes an event type's rows from a table, having shown which."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock
from trivium.core.suggest import one_of
from trivium.delivery.commit.committer import Landed, commit
from trivium.delivery.commit.retire import Retirement
from trivium.delivery.coverage.scope import Window
from trivium.delivery.delta.features import check_replaceable, check_writable
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.lineage import EVENT_TYPE, RUNTIME
from trivium.operations.errors import ArgumentError


@dataclass(frozen=True)
class RetirePlan:
    """The rows that would go, by runtime and event day. `listed` says whether the pipeline still makes such rows."""

    table: str
    pipeline: str
    event_type: str
    window: Window | None
    rows: dict[str, dict[date, int]]
    listed: bool

    @property
    def total(self) -> int:
        """Rows of all runtimes and days."""
        return sum(sum(days.values()) for days in self.rows.values())

    @property
    def days(self) -> list[date]:
        """The event days that have such rows, sorted."""
        return sorted({day for days in self.rows.values() for day in days})


def plan_retirement(pipeline: Pipeline, event_type: str, window: Window | None) -> RetirePlan:
    """Return which rows retiring an event type would remove; changes nothing.

    Raises:
        ArgumentError: the table has no rows of the type there; names the types it has.
        UnsupportedFeature: rows of the table cannot be removed.
    """
    uri = pipeline.config.table.path
    snapshot = Snapshot.find(uri)
    if snapshot is None:
        raise ArgumentError(f"there is no table at {uri} yet: nothing is there to retire")
    check_writable(snapshot.head)
    check_replaceable(snapshot.head)
    rows = _counted(snapshot, event_type, window)
    if not rows:
        where = f" of {window}" if window else ""
        known = one_of(event_type, sorted(_types(snapshot)))
        raise ArgumentError(f"the table {uri} has no rows of event type {event_type!r}{where}; {known}")
    return RetirePlan(uri, pipeline.name, event_type, window, rows, event_type in pipeline.executors)


def carry_out(plan: RetirePlan, clock: Clock) -> Landed:
    """Remove the rows, in one commit. Rows that were committed since the plan was made go, too.

    Raises:
        DeliveryError: nothing was removed, unless the message says that nobody knows.
    """
    return commit(plan.table, Retirement(plan.pipeline, plan.event_type, plan.window, plan.total), clock)


def _counted(snapshot: Snapshot, event_type: str, window: Window | None) -> dict[str, dict[date, int]]:
    wanted = pc.field(EVENT_TYPE) == event_type
    if window is not None:
        day = pc.field("event_date")
        wanted = wanted & (day >= pa.scalar(window.start)) & (day < pa.scalar(window.end))
    dataset = snapshot.table.to_pyarrow_dataset()
    found: dict[str, Counter[date]] = {}
    for batch in dataset.to_batches(columns=[RUNTIME.name, "event_date"], filter=wanted):
        groups = pa.table(batch).group_by([RUNTIME.name, "event_date"]).aggregate([([], "count_all")])
        for runtime, day, count in zip(*(groups[name].to_pylist() for name in groups.column_names), strict=True):
            found.setdefault(runtime, Counter())[day] += count
    return {runtime: dict(sorted(days.items())) for runtime, days in sorted(found.items())}


def _types(snapshot: Snapshot) -> set[str]:
    batches = snapshot.table.to_pyarrow_dataset().to_batches(columns=[EVENT_TYPE])
    return {name for batch in batches for name in pc.unique(batch.column(EVENT_TYPE)).to_pylist()}
