"""The pipeline file as strict, frozen models: the keys that exist, their types, limits and defaults."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from trivium.config.model.section import (
    ColumnName,
    EventType,
    Location,
    LookupName,
    Name,
    Pattern,
    Seconds,
    Section,
    TimeZone,
)
from trivium.config.model.serving import Serving
from trivium.config.model.streaming import Breaker, BreakerSetting, Streaming
from trivium.config.worker_spec import Purity, Unwanted
from trivium.contract.retry import RetryPolicy


class ExecutorEntry(Section):
    """One executor of the pipeline. `retry` overrules the pipeline's field by field; artifacts map names to files."""

    type: EventType
    options: dict[str, JsonValue] = Field(default_factory=dict)
    retry: RetryPolicy | None = None
    artifacts: dict[str, Location] = Field(default_factory=dict)


class Routing(Section):
    """What names an event's type, and what happens to types nobody declared and to null values.

    By default a field of the event does. `header` names a Kafka header that does instead, `topics` maps topics to event
    types; then a tag in the body is neither required nor believed.
    """

    field: Annotated[str, Field(min_length=1, max_length=255)] = "event_type"
    header: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    topics: dict[str, EventType] | None = None
    unrouted: Unwanted = "drop"
    tombstones: Unwanted = "drop"

    @model_validator(mode="after")
    def _one_way(self) -> Routing:
        ways = ["field"] if self.field != type(self).model_fields["field"].default else []
        ways += [name for name in ("header", "topics") if getattr(self, name) is not None]
        if len(ways) > 1:
            raise ValueError(f"expected one of field, header and topics, got {' and '.join(ways)}")
        return self

    @property
    def by_body(self) -> bool:
        """Whether a field of the event itself names its type."""
        return self.header is None and self.topics is None


class ParquetLookup(Section):
    """A Parquet file or folder answering by its column `key`, held in memory and read again every `refresh_seconds`.

    `unavailable` says what an enrichment is when the file cannot be read: a failed event, or a missing row.
    `max_rows` and `max_bytes` (in memory) bound what a worker loads.
    """

    type: Literal["parquet"]
    path: Location
    key: ColumnName
    refresh_seconds: Annotated[float, Field(gt=0)] = 3600.0
    unavailable: Literal["fail", "missing"] = "fail"
    max_rows: Annotated[int, Field(ge=1)] = 5_000_000
    max_bytes: Annotated[int, Field(ge=1)] = 1 << 30
    retry: RetryPolicy | None = None


class Table(Section):
    """The Delta table all rows go to, partitioned by the UTC date of `event_time`."""

    type: Literal["delta"]
    path: Location
    partition_by: tuple[Literal["event_date"]] = ("event_date",)


class DeadLetters(Section):
    """The Delta table of rejected inputs, kept whole."""

    type: Literal["delta"]
    path: Location


class EventTimeRange(Section):
    """Event times outside [earliest, latest], as UTC dates, are rejects."""

    earliest: date = date(1970, 1, 1)
    latest: date = date(2200, 1, 1)

    @model_validator(mode="after")
    def _ordered(self) -> EventTimeRange:
        if self.earliest > self.latest:
            raise ValueError(f"earliest {self.earliest} lies after latest {self.latest}")
        return self


class ParquetSource(Section):
    """Parquet files below `path`: typed columns, or one column of raw JSON when `value_column` names it.

    `pattern` is a glob below the path that chooses among its files; without it every file that is Parquet is read.
    `day_column` is the folder or column naming the source day; `timezone` says what naive timestamps mean.
    `event_type` names the type of all events, `type_column` the column or folder that names each one's; then a field of
    the event is not asked for it.
    """

    type: Literal["parquet"]
    path: Location
    pattern: Pattern | None = None
    value_column: ColumnName | None = None
    day_column: ColumnName | None = None
    event_type: EventType | None = None
    type_column: ColumnName | None = None
    timezone: TimeZone | None = None

    @model_validator(mode="after")
    def _one_way(self) -> ParquetSource:
        if self.event_type is not None and self.type_column is not None:
            raise ValueError("expected one of event_type and type_column, got both")
        return self


class Batch(Section):
    """The batch road: its source, the number of workers, and the bounds of one unit of work and of one record."""

    source: ParquetSource
    workers: Annotated[int, Field(ge=1, le=10_000)] = 2
    late_days: Annotated[int, Field(ge=0, le=366)] = 0
    unit_rows: Annotated[int, Field(ge=1)] = 1_000_000
    unit_deadline_seconds: Seconds = 600.0
    record_deadline_seconds: Seconds = 30.0


class PipelineConfig(Section):
    """One pipeline file, whole.

    In a compiled pipeline its data paths are absolute, every `retry` is complete, and a secret is the text of its
    reference (`${NAME}`), never its value. A pipeline has a section for each road it is run on.

    `purity` says what happens to executors that do I/O or keep state. `strict`: they do not compile, and an event whose
    executor does I/O is a reject. `warn`: a run logs it. `off`: neither; `trivium check` looks at it unless it is off.
    """

    pipeline: Name
    executors: Annotated[tuple[ExecutorEntry, ...], Field(min_length=1)]
    routing: Routing = Routing()
    lookups: dict[LookupName, ParquetLookup] = Field(default_factory=dict)
    table: Table
    dead_letters: DeadLetters
    retry: RetryPolicy = RetryPolicy()
    event_time: EventTimeRange = EventTimeRange()
    breaker: BreakerSetting = Breaker()
    purity: Purity = "warn"
    batch: Batch | None = None
    streaming: Streaming | None = None
    serving: Serving | None = None

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
    """`base` with the fields that `override` sets itself."""
    if override is None:
        return base
    return RetryPolicy(**{**base.model_dump(), **override.model_dump(exclude_unset=True)})
