"""Rows whose facts were not all plain hits: how many there are, and which days and types a batch run can repair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from trivium.core.errors import DeliveryError
from trivium.delivery.commit.replace import RUNTIME as BATCH
from trivium.delivery.files.lineage import RUNTIME
from trivium.delivery.merge import query as merge
from trivium.engine.enrichment.enriched import FactState
from trivium.operations.tables import check_columns, snapshot_at

REPAIRABLE: Final[frozenset[FactState]] = frozenset({"missing", "unavailable", "stale", "defaulted"})
"""States that asking again may mend; an event without a key has none the next time either."""
_STATES: Final = "_enrichments"
_GROUPS: Final = ("_event_type", "event_date", RUNTIME.name, _STATES)
_DECODER: Final = msgspec.json.Decoder(dict[str, FactState])


@dataclass(frozen=True, order=True)
class IncompleteGroup:
    """Rows of one event type, day (ISO) and runtime whose fact for an enrichment has the same state."""

    event_type: str
    enrichment: str
    state: FactState
    day: str
    runtime: str
    rows: int


@dataclass(frozen=True)
class IncompleteRows:
    """The groups of one version of a table, sorted; `rows` counts each row once, however many of its facts lack."""

    uri: str
    version: int
    rows: int
    groups: tuple[IncompleteGroup, ...]

    def repairable(self) -> dict[str, list[str]]:
        """Return the event days (ISO, sorted) of each type that have rows of batch which asking again may mend."""
        days: dict[str, set[str]] = {}
        for each in self.groups:
            if each.runtime == BATCH and each.state in REPAIRABLE:
                days.setdefault(each.event_type, set()).add(each.day)
        return {name: sorted(found) for name, found in sorted(days.items())}

    def streamed(self, types: Iterable[str]) -> int:
        """Return how many facts that asking again may mend rows of streams of these types lack."""
        wanted = frozenset(types)
        found = (each for each in self.groups if each.runtime != BATCH and each.event_type in wanted)
        return sum(each.rows for each in found if each.state in REPAIRABLE)


def incomplete_rows(uri: str, at: int | datetime | None = None, states: Sequence[str] = ()) -> IncompleteRows:
    """Return the rows that count and lack a fact, of these states (none: of all), at a version, at a time, or now.

    Raises:
        ArgumentError: there is no such table or version, or it has not the columns of a pipeline's table.
        DeliveryError: a file of the table is gone or cannot be read.
    """
    snapshot = snapshot_at(uri, at)
    check_columns(uri, snapshot)
    if _STATES not in snapshot.schema.to_arrow().names:
        return IncompleteRows(uri, snapshot.version, 0, ())
    try:
        counted = merge.counts_with(uri, snapshot.version, _STATES, _GROUPS)
    except (duckdb.Error, pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).split("\n", 1)[0].strip().rstrip(".")
        message = f"table {uri}, version {snapshot.version}: its rows cannot be counted: {reason}"
        raise DeliveryError(f"{message}. Try: an older --version, or restore the file that is named") from error
    groups: Counter[tuple[str, str, FactState, str, str]] = Counter()
    rows = 0
    for each in counted.to_pylist():
        known = _wanted(each[_STATES], states)
        rows += each["rows"] if known else 0
        for enrichment, state in known:
            groups[each["_event_type"], enrichment, state, each["event_date"].isoformat(), each[RUNTIME.name]] += each[
                "rows"
            ]
    return IncompleteRows(
        uri, snapshot.version, rows, tuple(sorted(IncompleteGroup(*group, count) for group, count in groups.items()))
    )


def incomplete_among(rows: pa.Table, states: Sequence[str] = ()) -> pa.Table:
    """Return those of a table's rows that lack a fact of these states (none: of all)."""
    if _STATES not in rows.column_names:
        return rows.slice(0, 0)
    texts = rows[_STATES].unique().drop_null().to_pylist()
    wanted = [text for text in texts if _wanted(text, states)]
    return rows.filter(pc.is_in(rows[_STATES], pa.array(wanted, rows.schema.field(_STATES).type)))


def _wanted(text: str, states: Sequence[str]) -> list[tuple[str, FactState]]:
    return [(name, state) for name, state in _DECODER.decode(text).items() if not states or state in states]
