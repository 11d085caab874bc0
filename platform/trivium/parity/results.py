"""Outcome of an input in one form for all runtimes, read from tables and from answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds

from trivium.config.pipeline import Pipeline
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.delta.snapshot import Snapshot
from trivium.engine.outcomes import UNDECODED, Outcomes
from trivium.samples.harness import plain_row

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_CHUNK = 10_000
Places = Mapping[str, npt.NDArray[np.int64]]
_LINEAGE = ("_position", "_enrichments")


@dataclass(frozen=True, slots=True)
class InputOutcome:
    """One input's outcome. Rows are canonical JSON texts of the author's columns, sorted: a multiset.

    `enrichments` is canonical JSON of what was no plain hit, known of emitted inputs only. Sentences do not count.
    """

    outcome: Literal["emitted", "dropped", "rejected"]
    event_type: str | None = None
    rows: tuple[str, ...] = ()
    enrichments: str = "{}"
    stage: str | None = None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as plain data, without what is absent."""
        if self.outcome == "emitted":
            rows = [json.loads(row) for row in self.rows]
            return {"outcome": "emitted", "type": self.event_type, "rows": rows, "enrichments": self.enrichments}
        if self.outcome == "rejected":
            return {"outcome": "rejected", "type": self.event_type, "stage": self.stage, "reason": self.reason}
        return {"outcome": "dropped"}


DROPPED = InputOutcome("dropped")


def of_tables(pipeline: Pipeline, count: int, places: Places | None = None) -> Iterator[InputOutcome]:
    """Return the outcomes of inputs 0 … count-1, by their positions in the pipeline's tables; in neither means dropped.

    `places` gives the number of the input at each position of a topic; without it the position is the number.
    """
    dataset = Snapshot.latest(pipeline.config.table.path).table.to_pyarrow_dataset()
    tables = {
        name: _numbered(
            dataset.to_table(
                columns=[*bound.declaration.row_schema.names, *_LINEAGE, "_source"],
                filter=ds.field("_event_type") == name,
            ),
            ("_source", "_position"),
            places,
        )
        for name, bound in pipeline.executors.items()
    }
    letters = dead_letters.read(pipeline.config.dead_letters.path, pipeline.config.table.path)
    letters = letters.select(["source", "position", "event_type", "stage", "reason"])
    letters = _numbered(letters, ("source", "position"), places)
    for start in range(0, count, _CHUNK):
        stop = min(start + _CHUNK, count)
        found = _emitted(pipeline, {name: _between(each, "_position", start, stop) for name, each in tables.items()})
        for letter in _between(letters, "position", start, stop).to_pylist():
            _add_reject(found, letter)
        yield from (found.get(position, DROPPED) for position in range(start, stop))


def _numbered(table: pa.Table, columns: tuple[str, str], places: Places | None) -> pa.Table:
    """Return the table in the order of the inputs' numbers, which stand in its column of positions."""
    source, position = columns
    if places is not None:
        numbers = table[position].to_numpy().copy()
        topics = np.array([each.split("/")[0] for each in table[source].to_pylist()], object)
        for topic, known in places.items():
            numbers[topics == topic] = known[numbers[topics == topic]]
        table = table.set_column(table.schema.get_field_index(position), position, pa.array(numbers))
    return table.sort_by(position)


def _between(table: pa.Table, column: str, start: int, stop: int) -> pa.Table:
    """Return the rows of a sorted table whose column is within start … stop-1."""
    first, end = np.searchsorted(table[column].to_numpy(), (start, stop))
    return table.slice(first, end - first)


def _add_reject(found: dict[int, InputOutcome], letter: Mapping[str, Any]) -> None:
    position = letter["position"]
    reject = rejected(letter["event_type"], letter["stage"], letter["reason"])
    found[position] = replace(found[position], reason="more than one outcome") if position in found else reject


def of_outcomes(pipeline: Pipeline, outcomes: Outcomes, tables: Mapping[str, pa.Table]) -> list[InputOutcome]:
    """Return the outcomes of one batch of the worker. `tables` are its rows by event type, as files give them back."""
    found = _emitted(pipeline, tables)
    found |= {each.index: rejected(each.event_type, each.stage, each.reason) for each in outcomes.rejects}
    return [found.get(row, DROPPED) for row in range(outcomes.read)]


def of_answer(pipeline: Pipeline, answer: Mapping[str, Any]) -> InputOutcome:
    """Return the outcome a service answered with."""
    if answer["outcome"] == "dropped":
        return DROPPED
    name = answer.get("event_type")
    if answer["outcome"] == "rejected":
        return rejected(name, answer["stage"], answer["reason"])
    declaration = pipeline.executors[str(name)].declaration
    return emitted(name, [plain_row(row, declaration) for row in answer["rows"]], answer.get("enrichments") or {})


def emitted(event_type: str | None, rows: Sequence[Mapping[str, Any]], enrichments: Mapping[str, str]) -> InputOutcome:
    """Return an emitted input; its rows as plain data."""
    return InputOutcome("emitted", event_type, tuple(sorted(map(_canonical, rows))), _canonical(enrichments))


def rejected(event_type: str | None, stage: str, reason: str) -> InputOutcome:
    """Return a rejected input."""
    return InputOutcome("rejected", None if event_type == UNDECODED else event_type, stage=stage, reason=reason)


def _emitted(pipeline: Pipeline, tables: Mapping[str, pa.Table]) -> dict[int, InputOutcome]:
    found: dict[int, InputOutcome] = {}
    for name, table in tables.items():
        declaration = pipeline.executors[name].declaration
        rows: dict[int, list[dict[str, Any]]] = {}
        states: dict[int, str] = {}
        for row in table.select([*declaration.row_schema.names, *_LINEAGE]).to_pylist():
            position, state = row.pop("_position"), row.pop("_enrichments")
            rows.setdefault(position, []).append(plain_row(row, declaration))
            states[position] = state or "{}"
        found |= {position: emitted(name, each, json.loads(states[position])) for position, each in rows.items()}
    return found


def _canonical(value: Any) -> str:
    return _ENCODER.encode(value)
