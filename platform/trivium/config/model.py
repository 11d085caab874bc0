"""The pipeline file as strict, frozen models: the keys that exist, their types, limits and defaults."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from trivium.contract.retry import RetryPolicy

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LookupName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$")]
EVENT_TYPE = r"^[A-Za-z_][A-Za-z0-9_.-]{0,126}$"
EventType = Annotated[str, Field(pattern=EVENT_TYPE)]
Location = Annotated[str, Field(min_length=1, max_length=4096)]
ColumnName = Annotated[str, Field(min_length=1, max_length=255)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
Unwanted = Literal["drop", "reject"]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("no time zone of the IANA database; for example Europe/Zurich or UTC")
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]


class Section(BaseModel):
    """A mapping of the pipeline file: unknown keys are problems, values never change."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ExecutorEntry(Section):
    """One executor of the pipeline. `retry` overrules the pipeline's field by field; artifacts map names to files."""

    type: EventType
    options: dict[str, JsonValue] = {}
    retry: RetryPolicy | None = None
    artifacts: dict[str, Location] = {}


class Routing(Section):
    """Which field of an event names its type, and what happens to types nobody declared and to null values."""

    field: Annotated[str, Field(min_length=1, max_length=255)] = "event_type"
    unrouted: Unwanted = "drop"
    tombstones: Unwanted = "drop"


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

    `day_column` is the folder or column naming the source day; `timezone` says what naive timestamps mean.
    """

    type: Literal["parquet"]
    path: Location
    value_column: ColumnName | None = None
    day_column: ColumnName | None = None
    timezone: TimeZone | None = None


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

    In a compiled pipeline its paths are absolute, every `retry` is complete, and a secret option is the text of its
    reference (`${NAME}`), never its value.
    """

    pipeline: Name
    executors: Annotated[tuple[ExecutorEntry, ...], Field(min_length=1)]
    routing: Routing = Routing()
    lookups: dict[LookupName, ParquetLookup] = {}
    table: Table
    dead_letters: DeadLetters
    retry: RetryPolicy = RetryPolicy()
    event_time: EventTimeRange = EventTimeRange()
    batch: Batch | None = None


def overruled(base: RetryPolicy, override: RetryPolicy | None) -> RetryPolicy:
    """`base` with the fields that `override` sets itself."""
    if override is None:
        return base
    return RetryPolicy(**{**base.model_dump(), **override.model_dump(exclude_unset=True)})
