"""Result of one `trivium.run`, with the outcome of every event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from trivium.engine.author_line import code_columns
from trivium.engine.outcomes import TOMBSTONE, UNROUTED, Counts, Outcomes, Reject, merge_counts, total_of
from trivium.notebook.data import Data

if TYPE_CHECKING:
    import pandas
    import polars

BY_EXECUTOR: Final = "executor"
_REASONS: Final = {UNROUTED: "another event type", TOMBSTONE: "no value"}
_INCOMPLETE: Final = pa.schema([("index", pa.int64()), ("enrichment", pa.string()), ("state", pa.string())])
_INDEX: Final = pa.field("index", pa.int64())
_EVENT: Final = pa.field("event", pa.string())
_DROPPED: Final = pa.schema([_INDEX, _EVENT, ("reason", pa.string())])
_REJECTED: Final = pa.schema(
    [
        _INDEX,
        _EVENT,
        *((name, pa.string()) for name in ("reason", "stage", "error")),
        *(
            ("code_file", pa.string()),
            ("code_line", pa.int32()),
            ("code_text", pa.string()),
            ("code_trace", pa.string()),
        ),
    ]
)


@dataclass(frozen=True)
class Drop:
    """A dropped input: `index` counts the events handed over from 0."""

    index: int
    reason: str


class FactState(msgspec.Struct, frozen=True, order=True):
    """The state of a fact that was no plain hit, of the emitted event that `index` counts."""

    index: int
    enrichment: str
    state: str


@dataclass(frozen=True)
class PartialResult:
    """The outcomes of one batch, counted from the first event handed over. It travels from worker to driver."""

    rows: pa.RecordBatch
    parents: np.ndarray[Any, np.dtype[np.int64]]
    drops: tuple[Drop, ...]
    rejects: tuple[Reject, ...]
    states: tuple[FactState, ...]
    counts: Mapping[str, Counts]


@dataclass(frozen=True, eq=False, repr=False)
class RunResult:
    """The outcome of every event: rows, drops and rejects.

    `rows` has the author's columns, in the order of the events they came from; `parents` (int64) is, for each row, that
    event's index, from 0. `counts` is the balance by event type; `read = emitted_inputs + dropped + rejected` holds.
    `states` are those of facts of emitted events that were no plain hits.
    """

    event_type: str
    rows: pa.Table
    parents: pa.Int64Array
    counts: Mapping[str, Counts]
    data: Data
    drops: Sequence[Drop]
    rejects: Sequence[Reject]
    states: Sequence[FactState] = ()

    @property
    def total(self) -> Counts:
        """The balance over all event types."""
        return total_of(self.counts)

    @cached_property
    def dropped(self) -> pa.Table:
        """The events nobody wanted: `index`, `event` (JSON), `reason`.

        The reason is `executor` (its accepts or process said no, or an enrichment with missing="drop" had no row),
        `another event type` or `no value`.
        """
        rows = [
            {"index": each.index, "event": self.data.text(each.index), "reason": each.reason} for each in self.drops
        ]
        return pa.Table.from_pylist(rows, schema=_DROPPED)

    @cached_property
    def rejected(self) -> pa.Table:
        """The events that were wrong: `index`, `event` (JSON), `reason` (a stable word), `stage` and `error`.

        Where the executor's own code raised, `code_file`, `code_line`, `code_text` and `code_trace` say in which line.
        """
        rows = [
            {
                "index": each.index,
                "event": self.data.text(each.index),
                "reason": each.reason,
                "stage": each.stage,
                "error": each.error,
                **code_columns(each.raised_at),
            }
            for each in self.rejects
        ]
        return pa.Table.from_pylist(rows, schema=_REJECTED)

    @cached_property
    def incomplete(self) -> pa.Table:
        """The facts of emitted events that were no plain hit: `index`, `enrichment`, and `state`.

        The state is `missing`, `null_key`, `unavailable`, `stale` or `defaulted`.
        """
        return pa.Table.from_pylist([msgspec.structs.asdict(each) for each in self.states], schema=_INCOMPLETE)

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a pandas table."""
        return self.rows.to_pandas()  # type: ignore[no-any-return]

    def to_polars(self) -> polars.DataFrame:
        """Return the rows as a Polars table."""
        import polars

        frame = polars.from_arrow(self.rows)
        assert isinstance(frame, polars.DataFrame)
        return frame

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def __repr__(self) -> str:
        from trivium.notebook.display import text

        return text(self)

    def _repr_html_(self) -> str:
        from trivium.notebook.display import html

        return html(self)


def part_of(outcomes: Outcomes, first: int, columns: pa.Schema) -> PartialResult:
    """Return the outcomes of a batch whose first event has the index `first`; of the rows, the author's columns."""
    emitted = list(outcomes.emitted.values())
    batches = [each.rows.select(columns.names) for each in emitted]
    rows = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=columns)
    parents = emitted[0].parents + first if emitted else np.empty(0, np.int64)
    drops = sorted(
        (
            Drop(int(row) + first, _REASONS.get(name, BY_EXECUTOR))
            for name, rows in outcomes.dropped.items()
            for row in rows
        ),
        key=lambda drop: drop.index,
    )
    rejects = sorted((_moved(each, first) for each in outcomes.rejects), key=lambda reject: reject.index)
    states = [state for each in emitted for state in _states(each.rows.column("_enrichments"), each.parents + first)]
    return PartialResult(rows, parents, tuple(drops), tuple(rejects), tuple(states), outcomes.counts())


def _states(texts: pa.Array, parents: np.ndarray[Any, np.dtype[np.int64]]) -> list[FactState]:
    """Return what rows say of their events' facts, once an event."""
    found = {
        FactState(int(parents[row]), name, state)
        for row in np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
        for name, state in msgspec.json.decode(texts[int(row)].as_py()).items()
    }
    return sorted(found)


def _moved(reject: Reject, by: int) -> Reject:
    return replace(reject, index=reject.index + by)


def joined(event_type: str, parts: Iterable[PartialResult], columns: pa.Schema, data: Data) -> RunResult:
    """Return the outcomes of all batches, in the order of the events."""
    parts = list(parts)
    return RunResult(
        event_type=event_type,
        rows=pa.Table.from_batches([part.rows.cast(columns) for part in parts], schema=columns),
        parents=pa.array(np.concatenate([np.empty(0, np.int64), *(part.parents for part in parts)])),
        counts=merge_counts(dict(part.counts) for part in parts),
        data=data,
        drops=[drop for part in parts for drop in part.drops],
        rejects=[data.explained(reject) for part in parts for reject in part.rejects],
        states=[state for part in parts for state in part.states],
    )
