"""The sources of the batch runtime in the pipeline file: built-in sections, and those of plug-ins by their models."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, WithJsonSchema, field_validator

from trivium.config.model.kinds import Kinds
from trivium.config.model.section import Location, Pattern, TimeZone
from trivium.config.plugins import SOURCES
from trivium.contract.source import ColumnName, SourceSettings

RECORD: Final = "value"
"""The column under which the lines of a file are read."""


class FileSource(SourceSettings):
    """An archive of files that a batch run reads."""

    path: Location
    """A folder of files, or one file."""


class ColumnSource(FileSource):
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
        """The time zone of timestamps without one, by its IANA name; None where there is none."""
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


class NdjsonSource(FileSource):
    """Files of one JSON document a line: plain, `.gz` or `.zst`."""

    type: Literal["ndjson"]
    """The kind of source."""
    day_column: ColumnName | None = None
    """The folder that names the source day."""
    type_column: ColumnName | None = None
    """The folder that names the type of each event."""
    pattern: Pattern | None = None
    """A glob below `path` that chooses among its files; without it those that end in .ndjson, .jsonl or .json."""

    @field_validator("type_column")
    @classmethod
    def _is_a_folder(cls, name: str | None) -> str | None:
        if name == RECORD:
            raise ValueError("no folder can have this name: it is that of the lines themselves; leave the key out")
        return name

    @property
    def record_column(self) -> str:
        """The column of raw JSON records."""
        return RECORD


SOURCE_KINDS: Final = Kinds(
    SOURCES, SourceSettings, {"delta": DeltaSource, "ndjson": NdjsonSource, "parquet": ParquetSource}
)
AnySource = Annotated[
    SerializeAsAny[SourceSettings], BeforeValidator(SOURCE_KINDS.read), WithJsonSchema({"type": "object"})
]
