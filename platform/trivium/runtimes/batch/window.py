"""Which rows of a batch a windowed run writes, and to whom each input counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.delivery.batch_commit import Window
from trivium.engine.outcomes import UNDECODED, Counts, Outcomes, Reject, count_distinct


@dataclass(frozen=True)
class InWindow:
    """What of a batch this run writes, with the balance of all its inputs."""

    rows: Mapping[str, pa.RecordBatch]
    rejects: tuple[Reject, ...]
    counts: Mapping[str, Counts]


def restrict(outcomes: Outcomes, day: str | None, window: Window | None) -> InWindow:
    """Hold a batch of one source day to the run's window.

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
    own = window.holds(day)
    for name, dropped in outcomes.dropped.items():
        counts.setdefault(name, Counts()).add(_elsewhere(len(dropped)) if not own else _dropped(len(dropped)))
    for reject in outcomes.rejects:
        name = reject.event_type or UNDECODED
        counts.setdefault(name, Counts()).add(Counts(read=1, rejected=1) if own else _elsewhere(1))
    return InWindow(rows, tuple(outcomes.rejects) if own else (), counts)


def _elsewhere(inputs: int) -> Counts:
    return Counts(read=inputs, out_of_window=inputs)


def _dropped(inputs: int) -> Counts:
    return Counts(read=inputs, dropped=inputs)
