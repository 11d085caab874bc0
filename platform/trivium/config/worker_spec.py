"""The part of a pipeline that a worker takes: executors, routing, lookups' policies, event times, hashes.

A pipeline file compiles to it; one class on a list of events makes one directly. It holds no table, source or runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any, Final, Literal, NamedTuple

import pyarrow as pa

from trivium.config.plan import Plan
from trivium.contract.declaration import Declaration
from trivium.contract.executor import Executor, ExecutorOptions
from trivium.contract.keys import Key
from trivium.contract.lookup_settings import RemoteLookupSettings, Unavailable
from trivium.contract.retry import RetryPolicy
from trivium.types.spec import FieldSpec

_NOWHERE: Final = "memory"
_CALLS: Final = RemoteLookupSettings(type="default")
_EVENT_TIMES: Final = (date(1970, 1, 1), date(2200, 1, 1))
Purity = Literal["strict", "warn", "off"]
Unwanted = Literal["drop", "reject"]


@dataclass(frozen=True)
class BoundExecutor:
    """An executor class for one event type, with everything the pipeline file says about it.

    `artifacts` maps names to absolute local paths; `version` is the short digest of what decides its rows.
    """

    event_type: str
    cls: type[Executor[Any, Any]]
    options: ExecutorOptions = field(repr=False)
    retry: RetryPolicy
    artifacts: Mapping[str, str]
    version: str

    @property
    def declaration(self) -> Declaration:
        """The class's event, row and enrichments, for this event type."""
        return self.cls.declaration.of_type(self.event_type)

    def create(self) -> Executor[Any, Any]:
        """Return a new instance. `open` has not been called on it."""
        return self.cls(self.options)


@dataclass(frozen=True, kw_only=True)
class LookupSpec:
    """A lookup as its users see it.

    `columns` are the fields all enrichments that use it ask for, by wire name; `key_type` is the type of their keys.
    `unavailable` says what becomes of events when the lookup stays away; `calls` is what the client around it may do.
    `as_of` says that an enrichment asks for the fact that was valid at a time.
    """

    name: str
    columns: tuple[FieldSpec, ...]
    key_type: pa.DataType
    retry: RetryPolicy
    unavailable: Unavailable
    calls: RemoteLookupSettings = _CALLS
    as_of: bool = False


@dataclass(frozen=True)
class RoutingSpec:
    """The names under which records say their event type, and what becomes of those without an executor.

    `tag_field` is the field of a JSON record, None where the source names the type; `type_column` that of typed
    columns, None where the batch says it of all its rows.
    """

    tag_field: str | None = "event_type"
    type_column: str | None = "event_type"
    unrouted: Unwanted = "drop"
    tombstones: Unwanted = "drop"


@dataclass(frozen=True)
class WorkerSpec:
    """Everything a worker needs to know. Rows whose event time is outside of [earliest, latest] are rejects.

    `table_columns` are the author's columns of the shared table, without lineage columns and `event_date`.
    `secrets` are values that no error of an executor may repeat, as JSON text.
    """

    name: str
    executors: Mapping[str, BoundExecutor]
    lookups: Mapping[str, LookupSpec]
    routing: RoutingSpec
    table_columns: pa.Schema
    logic: str
    plan: str
    earliest: datetime
    latest: datetime
    purity: Purity
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def declarations(self) -> dict[str, Declaration]:
        """The executors' declarations by event type."""
        return {name: bound.declaration for name, bound in self.executors.items()}

    def of_type(self, event_type: str) -> WorkerSpec:
        """Return the specification with one of its event types only."""
        return replace(self, executors={event_type: self.executors[event_type]})


def event_times(earliest: date, latest: date) -> tuple[datetime, datetime]:
    """Return the first and the last moment of a range of UTC days, both inclusive."""
    return (
        datetime.combine(earliest, time.min, UTC),
        datetime.combine(latest, time.max, UTC),
    )


def table_columns(declarations: Iterable[Declaration]) -> pa.Schema:
    """Return the union of all row schemas: `event_id`, `event_time`, then the others in order of first appearance.

    The others are nullable: rows of another executor do not have them.
    """
    found: dict[str, pa.Field] = {}
    first = ("event_id", "event_time")
    for declaration in declarations:
        for column in declaration.row_schema:
            found.setdefault(column.name, column.with_nullable(column.name not in first))
    ordered = [found.pop(name) for name in first if name in found]
    return pa.schema([*ordered, *found.values()])


class LookupNeeds(NamedTuple):
    """Columns, keys and times that the enrichments of all executors need of a lookup."""

    columns: tuple[FieldSpec, ...]
    key_type: pa.DataType
    as_of: bool


def needs_of_lookups(declarations: Iterable[Declaration]) -> dict[str, LookupNeeds]:
    """Return what the enrichments need of each lookup."""
    columns: dict[str, dict[str, FieldSpec]] = {}
    keys: dict[str, list[Key]] = {}
    for declaration in declarations:
        for name, enrichment in declaration.enrichments.items():
            keys.setdefault(enrichment.lookup, []).append(declaration.keys[name])
            requested = columns.setdefault(enrichment.lookup, {})
            for spec in declaration.enrichment_fields[name]:
                known = requested.get(spec.wire)
                if known is None or spec.nullable:
                    requested[spec.wire] = spec
    return {
        name: LookupNeeds(tuple(requested.values()), keys[name][0].type, any(key.as_of for key in keys[name]))
        for name, requested in columns.items()
    }


def spec_of(
    executors: Sequence[type[Executor[Any, Any]]],
    options: Mapping[str, ExecutorOptions] | None = None,
    routing: RoutingSpec | None = None,
    retry: RetryPolicy | None = None,
    event_days: tuple[date, date] = _EVENT_TIMES,
) -> WorkerSpec:
    """Return the specification of a worker of these executors, each for all event types that it claims.

    `options` maps event types to options; lookups are whatever they declare.
    """
    claimed = [(executor, name) for executor in executors for name in executor.declaration.event_types]
    declarations = [executor.declaration.of_type(name) for executor, name in claimed]
    policy = retry or RetryPolicy()
    plan = Plan.of({"logic": {"executors": sorted(each.event_type for each in declarations)}})
    earliest, latest = event_times(*event_days)
    return WorkerSpec(
        name="in-memory",
        executors={
            name: BoundExecutor(name, executor, (options or {}).get(name) or executor.Options(), policy, {}, _NOWHERE)
            for executor, name in claimed
        },
        lookups={
            name: LookupSpec(name=name, retry=policy, unavailable="fail", **needs._asdict())
            for name, needs in sorted(needs_of_lookups(declarations).items())
        },
        routing=routing or RoutingSpec(),
        table_columns=table_columns(declarations),
        logic=plan.logic_short,
        plan=plan.plan_short,
        earliest=earliest,
        latest=latest,
        purity="warn",
    )
