"""The sources of the batch runtime in the pipeline file."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, WithJsonSchema, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from trivium.config.model.section import ColumnName, EventType, Location, Pattern, Section, TimeZone
from trivium.core.suggest import one_of

RECORD: Final = "value"
"""The column under which the lines of a file are read."""


class BatchSource(Section):
    """An archive that a batch run reads.

    A type that `event_type` or `type_column` names is not looked for in the record; at most one of them is set.
    """

    type: str
    """The kind of source."""
    path: Location
    """A folder of files, or one file."""
    day_column: ColumnName | None = None
    """The folder or column that names the source day."""
    event_type: EventType | None = None
    """The type of all events of the archive."""
    type_column: ColumnName | None = None
    """The column or folder that names the type of each event."""

    @model_validator(mode="after")
    def _one_way(self) -> BatchSource:
        if self.event_type is not None and self.type_column is not None:
            raise ValueError("expected one of event_type and type_column, got both")
        return self

    @property
    def record_column(self) -> str | None:
        """The column of raw JSON records; None where columns are the fields of events."""
        return RECORD

    @property
    def zone(self) -> str | None:
        """The time zone of timestamps without one; None where there is none."""
        return None


class ColumnSource(BatchSource):
    """An archive of columns: the fields of events, or raw JSON records in one column that `value_column` names."""

    value_column: ColumnName | None = None
    """The column of raw JSON records; without it, columns are the fields of events."""
    timezone: TimeZone | None = None
    """The time zone of timestamps without one, by its IANA name."""

    @property
    def record_column(self) -> str | None:
        """The column of raw JSON records; None where columns are the fields of events."""
        return self.value_column

    @property
    def zone(self) -> str | None:
        """The time zone of timestamps without one; None where there is none."""
        return self.timezone


class ParquetSource(ColumnSource):
    """Parquet files below `path`."""

    type: Literal["parquet"]
    """The kind of source."""
    pattern: Pattern | None = None
    """A glob below `path` that chooses among its files; without it every Parquet file is read."""


class DeltaSource(ColumnSource):
    """A Delta table that others write. A run reads one version of it, and names that version."""

    type: Literal["delta"]
    """The kind of source."""
    path: Location
    """The folder of the table."""
    day_column: ColumnName | None = None
    """The partition column or column that names the source day."""
    version: Annotated[int, Field(ge=0)] | None = None
    """The version to read; without it the newest when a run starts."""


class NdjsonSource(BatchSource):
    """Files of one JSON document a line: plain, `.gz` or `.zst`."""

    type: Literal["ndjson"]
    """The kind of source."""
    day_column: ColumnName | None = None
    """The folder that names the source day."""
    type_column: ColumnName | None = None
    """The folder that names the type of each event."""
    pattern: Pattern | None = None
    """A glob below `path` that chooses among its files; without it those that end in .ndjson, .jsonl or .json."""


SOURCES: Final[dict[str, type[BatchSource]]] = {
    "delta": DeltaSource,
    "ndjson": NdjsonSource,
    "parquet": ParquetSource,
}


def _by_its_model(value: Any) -> Any:
    """Validate a source by the model its `type` names; problems point at the keys of the section."""
    if isinstance(value, BatchSource) or not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return value
    model = SOURCES.get(value["type"])
    if model is not None:
        return model.model_validate_json(json.dumps(value))
    message, hint = f"expected a source type, got {value['type']!r}", one_of(value["type"], sorted(SOURCES))
    error = PydanticCustomError("plugin", "{message}", {"message": message, "hint": hint})
    raise ValidationError.from_exception_data(
        "source", [InitErrorDetails(type=error, loc=("type",), input=value["type"])]
    )


AnySource = Annotated[SerializeAsAny[BatchSource], BeforeValidator(_by_its_model), WithJsonSchema({"type": "object"})]
