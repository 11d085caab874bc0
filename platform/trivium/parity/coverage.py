"""Coverage of a comparison: outcomes, rejects, and per declared field the values, nulls and edges the inputs held."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from trivium.config.pipeline import Pipeline
from trivium.engine.outcomes import UNROUTED
from trivium.parity.branches import Branches
from trivium.parity.inputs import Input
from trivium.parity.results import InputOutcome

_LARGE, _LONG = 1 << 31, 1_000


@dataclass(frozen=True)
class FieldTried:
    """Values that inputs held in one declared field of an event type; `edges` names the unusual values among them."""

    event_type: str
    field: str
    values: int
    nulls: int
    edges: Sequence[str]


@dataclass(frozen=True)
class Coverage:
    """Coverage of a comparison: outcomes by event type, rejects by stage and reason, fields, and gaps (`thin`).

    `branches` are those of the executors' code, where the executors ran in this process.
    """

    outcomes: Mapping[tuple[str, str], int]
    rejects: Mapping[tuple[str, str], int]
    fields: Sequence[FieldTried]
    thin: Sequence[str]
    branches: Branches | None = None


class Tried:
    """Counts inputs one by one, with what the first runtime made of them."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        rename = {"tag": pipeline.config.routing.field}
        head: Any = msgspec.defstruct("Head", [("tag", Any, None)], rename=rename)
        self._head = msgspec.json.Decoder(head)
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._rejects: Counter[tuple[str, str]] = Counter()
        self._held: Counter[tuple[str, str, bool]] = Counter()
        self._edges: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, each: Input, outcome: InputOutcome) -> None:
        """Count an input."""
        name = self._dropped_as(each) if outcome.outcome == "dropped" else outcome.event_type
        self._outcomes[name or "", outcome.outcome] += 1
        if outcome.outcome == "rejected":
            self._rejects[outcome.stage or "", outcome.reason or ""] += 1
        try:
            record = msgspec.json.decode(each.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if isinstance(record, dict):
            self._count_fields(record, each.event_type)

    def coverage(self) -> Coverage:
        """Return what was counted."""
        executors = self._pipeline.executors
        fields = [
            FieldTried(
                name,
                spec.wire,
                self._held[name, spec.wire, False],
                self._held[name, spec.wire, True],
                sorted(self._edges[name, spec.wire]),
            )
            for name, bound in executors.items()
            for spec in bound.declaration.event_fields
        ]
        nullable = {
            (name, spec.wire)
            for name, bound in executors.items()
            for spec in bound.declaration.event_fields
            if spec.nullable
        }
        thin = [f"no event of {name} became a row" for name in executors if not self._outcomes[name, "emitted"]]
        thin += [] if self._rejects else ["no input was rejected"]
        for each in fields:
            thin += [] if each.values else [f"{each.event_type}.{each.field} never held a value"]
            missed = not each.nulls and (each.event_type, each.field) in nullable
            thin += [f"{each.event_type}.{each.field} never was null"] if missed else []
        return Coverage(self._outcomes, self._rejects, fields, thin)

    def _dropped_as(self, each: Input) -> str:
        """Return the type under which a dropped input is counted, which tables do not tell."""
        name: Any = each.event_type
        if self._pipeline.config.routing.by_body:
            try:
                name = self._head.decode(each.value).tag
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                name = None
        return name if isinstance(name, str) and name in self._pipeline.executors else UNROUTED

    def _count_fields(self, record: Mapping[str, Any], named: str | None) -> None:
        routing = self._pipeline.config.routing
        name = record.get(routing.field) if routing.by_body else named
        bound = self._pipeline.executors.get(name) if isinstance(name, str) else None
        if bound is None:
            return
        for spec in bound.declaration.event_fields:
            value = record.get(spec.wire)
            self._held[str(name), spec.wire, value is None] += 1
            if edge := _edge(value):
                self._edges[str(name), spec.wire].add(edge)


def _edge(value: Any) -> str:
    """Return the name of what is unusual about a value; empty if nothing is."""
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, (int, float)):
        return "zero" if value == 0 else "negative" if value < 0 else "large" if value >= _LARGE else ""
    if isinstance(value, str):
        if not value:
            return "empty"
        return "long" if len(value) > _LONG else "" if value.isascii() else "beyond ASCII"
    return "empty" if isinstance(value, (list, dict)) and not value else ""
