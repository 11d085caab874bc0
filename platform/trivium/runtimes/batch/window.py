"""Which rows of a batch a windowed run writes, and to whom each input counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.connectors.parquet_source import Slice
from trivium.delivery.batch_commit import Window
from trivium.engine.outcomes import UNDECODED, Counts, Outcomes, Reject, count_distinct


@dataclass(frozen=True)
class InWindow:
    """What of a batch this run writes, with the balance of all its inputs."""

    rows: Mapping[str, pa.RecordBatch]
    rejects: tuple[Reject, ...]
    counts: Mapping[str, Counts]


def restrict(outcomes: Outcomes, part: Slice, window: Window | None) -> InWindow:
    """Hold the outcomes of a slice to the run's window.

    Rows outside are not written; an input with all its rows outside is `out_of_window`. Rejects and drops belong to
    their source day: a run whose window does not hold it counts them `out_of_window` too.
    """
    if window is None:
        rows = {name: emitted.rows for name, emitted in outcomes.emitted.items()}
        return InWindow(rows, tuple(outcomes.rejects), outcomes.counts())
    counts: dict[str, Counts] = {}
    rows = {}
    for name, emitted in outcomes.emitted.items():
        dates = emitted.rows.column("event_date")
        inside = pc.and_(
            pc.greater_equal(dates, pa.scalar(window.start)), pc.less(dates, pa.scalar(window.end))
        ).to_numpy(zero_copy_only=False)
        kept = count_distinct(emitted.parents[inside])
        every = count_distinct(emitted.parents)
        rows[name] = emitted.rows if inside.all() else emitted.rows.take(pa.array(np.flatnonzero(inside)))
        counts[name] = Counts(every, kept, int(inside.sum()), out_of_window=every - kept)
    days = part.days
    own = {day: window.holds(day) for day in set(days)}
    for name, dropped in outcomes.dropped.items():
        here = sum(own[day] for day in days[dropped])
        elsewhere = len(dropped) - here
        counts.setdefault(name, Counts()).add(Counts(len(dropped), dropped=here, out_of_window=elsewhere))
    for reject in outcomes.rejects:
        here = int(own[days[reject.index]])
        counts.setdefault(reject.event_type or UNDECODED, Counts()).add(
            Counts(1, rejected=here, out_of_window=1 - here)
        )
    return InWindow(rows, tuple(reject for reject in outcomes.rejects if own[days[reject.index]]), counts)
