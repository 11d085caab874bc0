"""The pipeline file as strict, frozen models: the keys that exist, their types, limits and defaults."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue, WithJsonSchema, model_validator

from trivium.config.model.lookups import AnyLookup
from trivium.config.model.section import Location, LookupName, Name, Owner, Seconds, Section
from trivium.config.model.serving import Serving
from trivium.config.model.sources import AnySource
from trivium.config.model.streaming import Breaker, BreakerSetting, Streaming
from trivium.config.worker_spec import Purity, Unwanted
from trivium.contract.retry import RetryPolicy
from trivium.contract.source import EventType

_SEVERAL: Final = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}


class ExecutorEntry(Section):
    """One executor of the pipeline, for one event type or, by a list or a glob, for several that share the entry."""

    type: Annotated[EventType, WithJsonSchema(_SEVERAL)]
    """The event type, of a folder below `executors/` or an installed package; or several: a list, or a glob."""
    owner: Owner | None = None
    """The team that answers for it, shown beside its figures and a tag of its metrics."""
    description: Annotated[str, Field(max_length=1000)] | None = None
    """What the events are, for whoever reads the plan."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Options of the executor, checked by its own `Options` model."""
    retry: RetryPolicy | None = None
    """Replaces the pipeline's retry policy for this executor, field by field."""
    artifacts: dict[str, Location] = Field(default_factory=dict)
    """Files that the executor opens, by name: models, tables, dictionaries."""


class Routing(Section):
    """Routing of events to executors: by a field of the event, by a Kafka header or by the topic, never two of them.

    Under `header` or `topics` a tag in the body is neither required nor believed.
    """

    field: Annotated[str, Field(min_length=1, max_length=255)] = "event_type"
    """The field of the event, or the column, that names its type."""
    header: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """The Kafka header that names the type instead of a field."""
    topics: dict[str, EventType] | None = None
    """Event type by Kafka topic, instead of a field."""
    unrouted: Unwanted = "drop"
    """Outcome of events whose type the pipeline does not list."""
    tombstones: Unwanted = "drop"
    """Outcome of records whose value is null."""

    @model_validator(mode="after")
    def _one_way(self) -> Routing:
        ways = ["field"] if self.field != type(self).model_fields["field"].default else []
        ways += [name for name in ("header", "topics") if getattr(self, name) is not None]
        if len(ways) > 1:
            raise ValueError(f"expected one of field, header and topics, got {' and '.join(ways)}")
        return self

    @property
    def by_body(self) -> bool:
        """True where a field of the event itself names its type."""
        return self.header is None and self.topics is None


class Table(Section):
    """The Delta table all rows go to, partitioned by the UTC date of `event_time`."""

    type: Literal["delta"]
    """The format of the table."""
    path: Location
    """The folder or URI of the table."""
    partition_by: tuple[Literal["event_date"]] = ("event_date",)
    """The partition columns."""


class DeadLetters(Section):
    """The Delta table of rejected inputs, kept whole."""

    type: Literal["delta"]
    """The format of the table."""
    path: Location
    """The folder or URI of the table of dead letters."""


class EventTimeRange(Section):
    """Event times outside [earliest, latest], as UTC dates, are rejects."""

    earliest: date = date(1970, 1, 1)
    """The earliest event date accepted, in UTC."""
    latest: date = date(2200, 1, 1)
    """The latest event date accepted, in UTC."""

    @model_validator(mode="after")
    def _ordered(self) -> EventTimeRange:
        if self.earliest > self.latest:
            raise ValueError(f"earliest {self.earliest} lies after latest {self.latest}")
        return self


class Batch(Section):
    """The batch runtime: its source, its workers, and their bounds."""

    source: AnySource
    """The archive to read."""
    workers: Annotated[int, Field(ge=1, le=10_000)] = 2
    """The number of worker processes."""
    late_days: Annotated[int, Field(ge=0, le=366)] = 0
    """Source days read after the last day of the window, for events that arrive late."""
    unit_rows: Annotated[int, Field(ge=1)] = 1_000_000
    """The most rows of one unit of work."""
    unit_deadline_seconds: Seconds = 600.0
    """Seconds after which a unit counts as hanging."""
    record_deadline_seconds: Seconds = 30.0
    """Seconds after which a record that is run alone counts as hanging."""


class PipelineConfig(Section):
    """One pipeline file, whole.

    In a compiled pipeline its data paths are absolute, every `retry` is complete, and a secret is the text of its
    reference (`${NAME}`), never its value. A pipeline has a section for each runtime it is run on.

    `purity` says what happens to executors that do I/O or keep state. `strict`: they do not compile, and an event whose
    executor does I/O is a reject. `warn`: a run logs it. `off`: neither; `trivium check` looks at it unless it is off.
    """

    pipeline: Name
    """The name of the pipeline; its table keeps positions under it."""
    include: tuple[Location, ...] = ()
    """Files of teams, or globs of them, seen from this file's folder. Each holds `executors` and `lookups`, as here."""
    executors: Annotated[tuple[ExecutorEntry, ...], Field(min_length=1)]
    """The executors of the pipeline, one entry per event type."""
    routing: Routing = Routing()
    """Where the type of an event is read from, and the outcome of events without a known one."""
    lookups: dict[LookupName, AnyLookup] = Field(default_factory=dict)
    """Lookups by name; enrichments of executors refer to the name."""
    table: Table
    """The table that receives all rows."""
    dead_letters: DeadLetters
    """The table that keeps rejected inputs whole."""
    retry: RetryPolicy = RetryPolicy()
    """When transient failures are tried again."""
    event_time: EventTimeRange = EventTimeRange()
    """The event dates accepted; others are rejects."""
    breaker: BreakerSetting = Breaker()
    """When a run stops because of its rejects; `off` never stops one."""
    purity: Purity = "warn"
    """What happens to executors that do I/O or keep state: refused, logged, or neither."""
    batch: Batch | None = None
    """How the batch runtime runs the pipeline; without it, it does not."""
    streaming: Streaming | None = None
    """How the streaming runtime runs the pipeline; without it, it does not."""
    serving: Serving | None = None
    """How the serving runtime runs the pipeline; without it, it does not."""

    @property
    def type_column(self) -> str | None:
        """The column that names the event type, of the batch source and of typed columns in general.

        None where the batch source says the type of all its events, or a header or topic does.
        """
        source = None if self.batch is None else self.batch.source
        if source is not None and source.event_type is not None:
            return None
        if source is not None and source.type_column is not None:
            return source.type_column
        return self.routing.field if self.routing.by_body else None


def overruled(base: RetryPolicy, override: RetryPolicy | None) -> RetryPolicy:
    """Return `base` with the fields that `override` sets itself."""
    if override is None:
        return base
    return RetryPolicy(**{**base.model_dump(), **override.model_dump(exclude_unset=True)})
