"""Outcomes of requests, one at a time or together, beside those of the worker for the same records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from trivium.engine.outcomes import Outcomes
from trivium.engine.requests.worker import EventAnswer

Seen = tuple[Any, ...]


def of_answer(answer: EventAnswer) -> Seen:
    """What an answer says, without how it says it."""
    if answer.outcome == "emitted":
        return (
            "emitted",
            answer.event_type,
            [json.loads(msgspec.json.encode(row)) for row in answer.rows],
            answer.enrichments,
        )
    if answer.outcome == "rejected":
        return "rejected", answer.event_type, answer.stage, answer.reason, answer.error, answer.attempts
    return "dropped", answer.event_type


def of_outcomes(out: Outcomes, columns: Sequence[str]) -> list[Seen]:
    """What the worker said of each input: rows as JSON of these author's columns, made from the Arrow values."""
    found: dict[int, Seen] = {}
    for name, emitted in out.emitted.items():
        own = [each for each in columns if each in emitted.rows.schema.names]
        rows = emitted.rows.select([*own, "_enrichments"]).to_pylist()
        for parent, row in zip(emitted.parents.tolist(), rows, strict=True):
            states = row.pop("_enrichments")
            seen = found.setdefault(parent, ("emitted", name, [], states and json.loads(states)))
            seen[2].append(json.loads(msgspec.json.encode(row)))
    for name, dropped in out.dropped.items():
        found.update((int(row), ("dropped", name)) for row in dropped)
    for each in out.rejects:
        found[each.index] = ("rejected", each.event_type, each.stage, each.reason, each.error, each.attempts)
    return [found[row] for row in range(out.read)]
