"""Parts that plans of all runtimes share: executors, lookups, table, breaker, and the streaming section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from trivium.config.pipeline import Pipeline
from trivium.connectors import place_of
from trivium.delivery.columns import merged
from trivium.delivery.delta.features import is_append_only, writing_features
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.lineage import table_schema
from trivium.operations.plans.columns import column_conflicts
from trivium.operations.plans.fetching import name_of, ways_of


@dataclass(frozen=True)
class ExecutorSummary:
    """An executor as bound: its form (row or column), the digest of its sources, and its enrichments.

    `listed` says which line of which file lists it.
    """

    event_type: str
    form: str
    version: str
    enrichments: tuple[dict[str, str], ...]
    owner: str | None
    description: str | None
    listed: str | None


@dataclass(frozen=True)
class TableSummary:
    """The table as it is (`version` None: not there yet) and what becomes of its columns.

    A run adds `new_columns`, gives `widened_columns` a wider type, and leaves `kept_columns` null, which the pipeline
    does not write. `conflicts` are why it would refuse to start.
    """

    path: str
    version: int | None
    columns: tuple[str, ...]
    new_columns: tuple[str, ...]
    widened_columns: tuple[str, ...]
    kept_columns: tuple[str, ...]
    conflicts: tuple[str, ...]
    replaced: Mapping[str, int]


@dataclass(frozen=True)
class BreakerSummary:
    """Limit of rejects: a share of a type's last inputs, `least` to `window_events`, for one reason; and what then."""

    ratio: float
    window_events: int
    least: int
    then: str


@dataclass(frozen=True)
class StreamingSummary:
    """The streaming section as compiled, without secrets. `routing` says what names an event's type."""

    servers: tuple[str, ...]
    topics: tuple[str, ...]
    protocol: str
    isolation: str
    routing: str
    workers: int
    commit_interval_seconds: float
    epoch_bytes: int
    group: str


def executors(pipeline: Pipeline) -> tuple[ExecutorSummary, ...]:
    """Return the executors as they are bound."""
    entries = {entry.type: entry for entry in pipeline.config.executors}
    return tuple(
        ExecutorSummary(
            event_type=event_type,
            form=bound.declaration.form,
            version=bound.version,
            enrichments=tuple(
                {
                    "name": name,
                    "key": each.key,
                    "lookup": each.lookup,
                    "missing": "a default row" if each.default is not None else each.missing,
                    "hints": name_of(each.hints),
                    **({"as_of": each.as_of} if each.as_of else {}),
                }
                for name, each in bound.declaration.enrichments.items()
            ),
            owner=entry.owner,
            description=entry.description,
            listed=pipeline.listed.get(event_type),
        )
        for event_type, bound in pipeline.executors.items()
        for entry in [entries[event_type]]
    )


def lookups(pipeline: Pipeline) -> tuple[dict[str, Any], ...]:
    """Return the lookups: their type, where they answer from, and how each runtime fetches their facts."""
    return tuple(
        {"name": name, "type": bound.config.type, "place": place_of(bound.config), "ways": ways_of(pipeline, bound)}
        for name, bound in pipeline.lookups.items()
    )


def table(pipeline: Pipeline, snapshot: Snapshot | None, replaced: Mapping[str, int]) -> TableSummary:
    """Return the table beside the columns a run writes; `replaced` counts files by event day."""
    author = table_schema(pipeline.table_columns)
    columns = merged(snapshot.schema, author) if snapshot else None
    conflicts = column_conflicts(pipeline, snapshot)
    if snapshot and snapshot.pipeline != pipeline.name:
        conflicts.append(f"the table belongs to {snapshot.pipeline or 'no pipeline'}")
    conflicts += _features(snapshot, replaced)
    conflicts += _features(Snapshot.find(pipeline.config.dead_letters.path), {}, "the table of dead letters")
    return TableSummary(
        path=pipeline.config.table.path,
        version=snapshot.version if snapshot else None,
        columns=tuple(author.names),
        new_columns=tuple(field.name for field in columns.added) if columns else (),
        widened_columns=columns.widened if columns else (),
        kept_columns=_kept(snapshot, author),
        conflicts=tuple(conflicts),
        replaced=replaced,
    )


def _kept(snapshot: Snapshot | None, author: pa.Schema) -> tuple[str, ...]:
    present = [field.name for field in snapshot.schema.fields] if snapshot else []
    return tuple(name for name in present if name not in author.names)


def _features(snapshot: Snapshot | None, replaced: Mapping[str, int], which: str = "the table") -> list[str]:
    if snapshot is None:
        return []
    found = [f"{which} uses what is not implemented here: {each}" for each in writing_features(snapshot.head)]
    if replaced and is_append_only(snapshot.head):
        found.append("the table is append-only (delta.appendOnly), and rows of it would be replaced")
    return found


def breaker(pipeline: Pipeline) -> BreakerSummary | None:
    """Return the thresholds; None where it is off."""
    setting = pipeline.config.breaker
    if setting == "off":
        return None
    return BreakerSummary(setting.ratio, setting.window_events, setting.judged_from, setting.then)


def streaming(pipeline: Pipeline) -> StreamingSummary | None:
    """Return the streaming section, if there is one. No request goes to the cluster."""
    section = pipeline.config.streaming
    if section is None:
        return None
    return StreamingSummary(
        servers=section.source.addresses,
        topics=section.source.topics,
        protocol=section.source.security.protocol,
        isolation=section.source.isolation,
        routing=_routing(pipeline),
        workers=section.workers,
        commit_interval_seconds=section.commit_interval_seconds,
        epoch_bytes=section.epoch_bytes,
        group=section.group or pipeline.name,
    )


def _routing(pipeline: Pipeline) -> str:
    routing = pipeline.config.routing
    if routing.topics is not None:
        return f"by topic: {', '.join(f'{topic} holds {name}' for topic, name in routing.topics.items())}"
    return f"by the field {routing.field}" if routing.by_body else f"by the header {routing.header}"
