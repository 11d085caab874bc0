"""The rows of a batch that a run writes, and to whom each input counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trivium.connectors.archive.slices import Slice
from trivium.delivery.coverage.scope import Scope
from trivium.engine.outcomes import UNDECODED, Counts, Outcomes, Reject
from trivium.engine.rows.emitted import Emitted
from trivium.engine.rows.lineage import count_distinct
from trivium.runtimes.batch.job import joined_days


@dataclass(frozen=True)
class InWindow:
    """The part of a batch that this run writes, with the balance of all its inputs.

    `held` are the source days in which each event type had inputs, whatever became of them; those without a type count
    under the names of the balance.
    """

    emitted: Mapping[str, Emitted]
    rejects: tuple[Reject, ...]
    counts: Mapping[str, Counts]
    held: Mapping[str, frozenset[str | None]]


def restrict(outcomes: Outcomes, part: Slice, scope: Scope) -> InWindow:
    """Hold the outcomes of a slice to the run's scope.

    Rows of other event days are not written; an input with all its rows outside is `out_of_window`. Rejects and drops
    belong to their source day: a run whose window does not hold it counts them `out_of_window` too. A run of some types
    does not count the inputs of others, but for those that are parked.
    """
    if not scope.untyped:
        outcomes = _of_types(outcomes, scope.types)
    held = _held(outcomes, part)
    if scope.window is None and not scope.left_out:
        return InWindow(outcomes.emitted, tuple(outcomes.rejects), outcomes.counts(), held)
    counts: dict[str, Counts] = {}
    rows: dict[str, Emitted] = {}
    for name, emitted in outcomes.emitted.items():
        inside = _inside(emitted.event_dates, scope)
        kept = count_distinct(emitted.parents[inside])
        every = count_distinct(emitted.parents)
        rows[name] = emitted if inside.all() else emitted.take(np.flatnonzero(inside))
        counts[name] = Counts(every, kept, int(inside.sum()), out_of_window=every - kept)
    days = part.days
    own = {day: scope.owns_source_day(day) for day in set(days)}
    for name, dropped in outcomes.dropped.items():
        here = sum(own[day] for day in days[dropped])
        outside = len(dropped) - here
        counts.setdefault(name, Counts()).add(Counts(len(dropped), dropped=here, out_of_window=outside))
    for name, parked in outcomes.parked.items():
        here = sum(own[day] for day in days[parked])
        counts.setdefault(name, Counts()).add(Counts(len(parked), parked=here, out_of_window=len(parked) - here))
    for reject in outcomes.rejects:
        here = int(own[days[reject.index]])
        counts.setdefault(reject.event_type or UNDECODED, Counts()).add(
            Counts(1, rejected=here, out_of_window=1 - here)
        )
    return InWindow(rows, tuple(reject for reject in outcomes.rejects if own[days[reject.index]]), counts, held)


def _of_types(outcomes: Outcomes, types: frozenset[str]) -> Outcomes:
    dropped = {name: rows for name, rows in outcomes.dropped.items() if name in types}
    rejects = [reject for reject in outcomes.rejects if reject.event_type in types]
    return Outcomes(outcomes.read, outcomes.emitted, dropped, rejects, outcomes.parked)


def _inside(dates: pa.Array, scope: Scope) -> npt.NDArray[np.bool_]:
    """Return for each event date whether the run writes its rows."""
    days = pc.unique(dates)
    replaced = pa.array([day for day in days.to_pylist() if scope.holds_day(day.isoformat())], dates.type)
    found: npt.NDArray[np.bool_] = pc.is_in(dates, replaced).to_numpy(zero_copy_only=False)
    return found


def _held(outcomes: Outcomes, part: Slice) -> dict[str, frozenset[str | None]]:
    """Return the source days in which each event type had inputs."""
    rejected: dict[str, list[int]] = {}
    for reject in outcomes.rejects:
        rejected.setdefault(reject.event_type or UNDECODED, []).append(reject.index)
    parts = [
        *((name, emitted.parents) for name, emitted in outcomes.emitted.items()),
        *outcomes.dropped.items(),
        *outcomes.parked.items(),
        *rejected.items(),
    ]
    return joined_days({name: part.days_of(np.asarray(inputs, np.int64))} for name, inputs in parts)
