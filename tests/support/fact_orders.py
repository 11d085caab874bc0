"""Orders that need a fact, by keys of every kind, and the hosts of their pipelines around one lookup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from tests.support.fact_backends import Backend, moment
from tests.support.runtime_hosts import Host, host_of
from trivium import Enrichment, Event, Executor, Hint, NormalizedEvent, RetryPolicy, Row
from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.pipeline import BoundLookup
from trivium.config.worker_spec import LookupSpec, spec_of
from trivium.connectors import open_lookup
from trivium.contract.lookup_settings import RemoteLookupSettings
from trivium.core.clock import SystemClock
from trivium.types.spec import UTC_MICROSECONDS

COLUMNS: Final = pa.schema(
    [
        ("event_type", pa.string()),
        ("id", pa.string()),
        ("at", UTC_MICROSECONDS),
        ("item", pa.string()),
        ("items", pa.list_(pa.string())),
        ("land", pa.string()),
    ]
)


class Fact(Row):
    name: str


class Order(Event, tag="order"):
    id: str
    at: datetime
    item: str | None = None
    items: tuple[str, ...] | None = None
    land: str | None = None


class Line(NormalizedEvent):
    text: str | None = None


def orders(key: Any, hints: Hint, as_of: str | None = None) -> type[Executor[Any, Any]]:
    """An executor that writes down the name of one fact, or of a list of them."""

    class Orders(Executor[Order, Line]):
        fact = Enrichment(Fact, key=key, lookup="facts", missing="null", hints=hints, as_of=as_of)

        def process(self, event: Order, fact: Any) -> Line:
            facts = fact if isinstance(fact, tuple) else (fact,)
            text = None if fact is None else "+".join("-" if each is None else each.name for each in facts)
            return Line(event_id=event.id, event_time=event.at, text=text)

    return Orders


def order(number: int, day: int = 2, **fields: Any) -> dict[str, Any]:
    """An order as it is given to a host."""
    return {"event_type": "order", "id": f"o{number}", "at": moment(day), **fields}


def items(*keys: str | None) -> list[dict[str, Any]]:
    """An order of each item."""
    return [order(number, item=key) for number, key in enumerate(keys)]


HINTS: Final = Hint.ASYNC | Hint.CACHEABLE
SHAPES: Final[dict[str, tuple[str, type[Executor[Any, Any]]]]] = {
    "plain": ("plain", orders("item", HINTS)),
    "list": ("plain", orders("items", HINTS)),
    "pairs": ("pairs", orders(("item", "land"), HINTS)),
    "dated": ("dated", orders("item", HINTS, "at")),
}
"""Kinds of keys: the table of facts and the executor that asks it."""


def bound(
    known: LookupSpec,
    section: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None,
    retry: RetryPolicy | None = None,
    **settings: Any,
) -> BoundLookup:
    """Return a lookup as a pipeline binds it; `settings` are more keys of its section."""
    config = LOOKUP_KINDS.read({**section, **settings})
    assert config.key_problem(known.key_type) is None
    return BoundLookup(
        name=known.name,
        columns=known.columns,
        key_type=known.key_type,
        as_of=known.as_of,
        retry=retry or RetryPolicy(attempts=1, deadline_seconds=5.0),
        unavailable=config.unavailable,
        calls=config if isinstance(config, RemoteLookupSettings) else known.calls,
        config=config,
        secrets=secrets or {},
    )


def opened(
    backend: Backend,
    runtime: str,
    shape: str = "plain",
    section: tuple[dict[str, Any], Mapping[str, str]] | None = None,
    retry: RetryPolicy | None = None,
    **settings: Any,
) -> Host:
    """Open the lookup as a runtime does, and the runtime's host around it; `settings` are keys of the section."""
    table, executor = SHAPES[shape]
    raw, secrets = section or (backend.section(table), {})
    spec = spec_of([executor])
    facts = bound(spec.lookups["facts"], raw, secrets, retry, **settings)
    lookup = open_lookup(facts, SystemClock(), pinned=runtime == "batch")
    return host_of(runtime, replace(spec, lookups={"facts": facts}), {"facts": lookup}, COLUMNS)
