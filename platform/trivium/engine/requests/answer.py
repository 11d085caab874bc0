"""The answer to a request, event by event."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class EventAnswer(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """The outcome of one event.

    `rows` are structs, each of which encodes to a JSON object of the row's declared columns. `stage`, `reason`, `error`
    and `attempts` say why an event was rejected, `path` where in the event the problem is (JSONPath), where the decoder
    can tell. `enrichments` holds what was no plain hit: `missing`, `null_key` or `unavailable`, by enrichment.
    """

    outcome: Literal["emitted", "dropped", "rejected"]
    event_type: str | None = None
    rows: list[Any] = []
    stage: str | None = None
    reason: str | None = None
    error: str | None = None
    path: str | None = None
    attempts: int = 1
    enrichments: dict[str, str] | None = None
