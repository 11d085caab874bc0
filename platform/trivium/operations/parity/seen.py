"""What a road made of an input, in one form for all roads, and how it is read from tables and from answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from trivium.config.pipeline import Pipeline
from trivium.delivery import dead_letters
from trivium.engine.outcomes import UNDECODED, Outcomes
from trivium.operations.trial import plain_row


@dataclass(frozen=True)
class Seen:
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
        """For people: only what there is."""
        if self.outcome == "emitted":
            rows = [json.loads(row) for row in self.rows]
            return {"outcome": "emitted", "type": self.event_type, "rows": rows, "enrichments": self.enrichments}
        if self.outcome == "rejected":
            return {"outcome": "rejected", "type": self.event_type, "stage": self.stage, "reason": self.reason}
        return {"outcome": "dropped"}


DROPPED = Seen("dropped")


def of_tables(pipeline: Pipeline, count: int) -> list[Seen]:
    """The outcomes of inputs 0 … count-1, by their positions in the pipeline's tables; in neither means dropped."""
    rows = DeltaTable(pipeline.config.table.path).to_pyarrow_dataset().to_table()
    found = _emitted(pipeline, {name: rows.filter(pc.equal(rows["_event_type"], name)) for name in pipeline.executors})
    letters = dead_letters.read(pipeline.config.dead_letters.path, pipeline.config.table.path)
    for letter in letters.select(["position", "event_type", "stage", "reason"]).to_pylist():
        found[letter["position"]] = rejected(letter["event_type"], letter["stage"], letter["reason"])
    return [found.get(position, DROPPED) for position in range(count)]


def of_outcomes(pipeline: Pipeline, outcomes: Outcomes) -> list[Seen]:
    """The outcomes of one batch of the worker."""
    tables = {name: pa.Table.from_batches([each.rows]) for name, each in outcomes.emitted.items()}
    found = _emitted(pipeline, tables)
    found |= {each.index: rejected(each.event_type, each.stage, each.reason) for each in outcomes.rejects}
    return [found.get(row, DROPPED) for row in range(outcomes.read)]


def of_answer(pipeline: Pipeline, answer: Mapping[str, Any]) -> Seen:
    """The outcome a service answered with."""
    if answer["outcome"] == "dropped":
        return DROPPED
    name = answer.get("event_type")
    if answer["outcome"] == "rejected":
        return rejected(name, answer["stage"], answer["reason"])
    schema = pipeline.executors[str(name)].declaration.row_schema
    return emitted(name, [plain_row(row, schema) for row in answer["rows"]], answer.get("enrichments") or {})


def emitted(event_type: str | None, rows: Sequence[Mapping[str, Any]], enrichments: Mapping[str, str]) -> Seen:
    """An emitted input; its rows as plain data."""
    return Seen("emitted", event_type, tuple(sorted(map(_canonical, rows))), _canonical(enrichments))


def rejected(event_type: str | None, stage: str, reason: str) -> Seen:
    """A rejected input."""
    return Seen("rejected", None if event_type == UNDECODED else event_type, stage=stage, reason=reason)


def _emitted(pipeline: Pipeline, tables: Mapping[str, pa.Table]) -> dict[int, Seen]:
    found: dict[int, Seen] = {}
    for name, table in tables.items():
        schema = pipeline.executors[name].declaration.row_schema
        rows: dict[int, list[dict[str, Any]]] = {}
        states: dict[int, str] = {}
        for row in table.select([*schema.names, "_position", "_enrichments"]).to_pylist():
            position, state = row.pop("_position"), row.pop("_enrichments")
            rows.setdefault(position, []).append(plain_row(row, schema))
            states[position] = state or "{}"
        found |= {position: emitted(name, each, json.loads(states[position])) for position, each in rows.items()}
    return found


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
