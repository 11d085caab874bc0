"""Batch sources: archives of events in parts that can be read alone, and what one of your own declares.

A source is a class with a `Settings`, made by `cls(settings, request)` on the driver and on every worker. The pipeline
file names it by its `type:`, which is a built-in name, an entry point of the group `trivium.sources`, or `module:Class`
of the project.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Annotated, Final, Protocol

import msgspec
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

EVENT_TYPE: Final = r"^[A-Za-z_][A-Za-z0-9_.-]{0,126}$"
EventType = Annotated[str, Field(pattern=EVENT_TYPE)]
ColumnName = Annotated[str, Field(min_length=1, max_length=255)]


class SourceSettings(BaseModel):
    """A source's section of the pipeline file. A source of your own adds its keys; they are strict and never change.

    A type that `event_type` or `type_column` names is not looked for in the record; at most one of them is set. A key
    named `path` is resolved as every data path of the file.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: str
    """The kind of source: a built-in name, an installed one, or `module:Class` of the project."""
    day_column: ColumnName | None = None
    """The folder or column that names the source day."""
    event_type: EventType | None = None
    """The type of all events of the archive."""
    type_column: ColumnName | None = None
    """The column or folder that names the type of each event."""

    @model_validator(mode="after")
    def _one_way(self) -> SourceSettings:
        if self.event_type is not None and self.type_column is not None:
            raise ValueError("expected one of event_type and type_column, got both")
        return self

    @property
    def record_column(self) -> str | None:
        """The column of raw JSON records; None where columns are the fields of events."""
        return None

    @property
    def zone(self) -> str | None:
        """The time zone of timestamps without one, by its IANA name; None where there is none."""
        return None


class SourceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The questions a source will get: the columns that are read of it, as far as it has them."""

    columns: tuple[str, ...]


class SourcePart(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of an archive that are listed, dated and counted as one: a file, a day of a table, a range of keys.

    `name` is the same in every listing; rows of the table keep it as `_source`. `version` changes when the rows do.
    `day` is the source day of all rows, needed under `day_column`. `modified` is the time of the last change, before
    which the part was complete, as far as it is known. `size` is in bytes, as far as it is known.
    """

    name: str
    rows: int
    version: str
    day: date | None = None
    modified: datetime | None = None
    size: int = 0


class BatchSource(Protocol):
    """An archive of events. A part is never cut over two units of work, but any range of its rows may be read."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of all that `read` gives."""
        ...

    def parts(self) -> Iterable[SourcePart]:
        """Return the parts; called on the driver, once a run. The same archive has the same parts, in any order."""
        ...

    def version(self, name: str) -> str | None:
        """Return the version of a part now, None where it is gone; called before and after its rows are read."""
        ...

    def read(self, name: str, rows: range) -> Iterator[pa.RecordBatch]:
        """Yield these rows of a part, counted from 0, always in the same order, in batches of some megabytes."""
        ...
