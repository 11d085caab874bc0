"""Sections of lookups over files: their keys, their times, and when they are looked at again."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from trivium.config.model.section import Location
from trivium.contract.lookup_settings import LookupSettings
from trivium.contract.source import ColumnName

_COLUMN_LETTERS: Final = 255
_COLUMN: Final = {"type": "string", "minLength": 1, "maxLength": _COLUMN_LETTERS}
_COLUMNS: Final = {"anyOf": [_COLUMN, {"type": "array", "items": _COLUMN, "minItems": 1, "uniqueItems": True}]}


def _key_columns(value: Any) -> str | tuple[str, ...]:
    """Return one column as it is and several as a tuple; one check, since a union says the same problem twice."""
    columns = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(each, str) for each in columns):
        raise PydanticCustomError("string_type", "Input should be a valid string or a list of them")
    if not columns or len(set(columns)) < len(columns) or not all(0 < len(each) <= _COLUMN_LETTERS for each in columns):
        raise PydanticCustomError("columns", "Input should be different names of columns, of at most 255 characters")
    return value if isinstance(value, str) else tuple(columns)


def _as_it_is(value: Any) -> Any:
    return value


KeyColumns = Annotated[
    str | tuple[str, ...],
    PlainValidator(_key_columns),
    PlainSerializer(_as_it_is, return_type=Any),
    WithJsonSchema(_COLUMNS),
]


class FactsLookup(LookupSettings):
    """A lookup over files that are read whole and searched in memory."""

    path: Location
    """A file, or a folder of them."""
    key: KeyColumns
    """The column that holds the keys, or those of a key of several fields, in the fields' order."""
    valid_from: ColumnName | None = None
    """The column of times, or of days in UTC, since which a row is valid; null: ever since. A key may have several."""
    valid_to: ColumnName | None = None
    """The column of times before which a row is valid; null: it still is. Without it, to the next row of its key."""
    refresh_seconds: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds after which the files are looked at again, and read if they changed, while the old facts answer."""
    max_age_seconds: Annotated[float, Field(gt=0)] | None = None
    """Seconds without a look that succeeded after which the lookup is unavailable; without it old facts go on."""
    max_rows: Annotated[int, Field(ge=1, lt=1 << 31)] = 5_000_000
    """The most rows that are loaded."""
    max_bytes: Annotated[int, Field(ge=1)] = 1 << 30
    """The most bytes of memory that rows take once loaded; loading takes up to three times as much."""

    @model_validator(mode="after")
    def _times(self) -> FactsLookup:
        if self.valid_to is not None and self.valid_from is None:
            raise ValueError("expected valid_from beside valid_to, got valid_to alone")
        return self

    @property
    def timed(self) -> bool:
        """Say whether rows know when they are valid."""
        return self.valid_from is not None


class ParquetLookupSettings(FactsLookup):
    """A lookup over a Parquet file or a folder of them."""

    type: Literal["parquet"]
    """The kind of lookup."""


class DeltaLookupSettings(FactsLookup):
    """A lookup over a Delta table. A batch run reads one version of it on all nodes; others follow the newest."""

    type: Literal["delta"]
    """The kind of lookup."""
    path: Location
    """The folder of the table."""
    version: Annotated[int, Field(ge=0)] | None = None
    """The version to read always; without it the newest."""
    as_of: Literal["version"] | None = None
    """`version`: a fact of a time is the row of the version that was the newest then."""
    max_versions: Annotated[int, Field(ge=1)] = 100
    """The most versions that are read for `as_of`, the newest ones; earlier times than theirs have no facts."""

    @model_validator(mode="after")
    def _one_way(self) -> DeltaLookupSettings:
        if self.as_of is not None and self.valid_from is not None:
            raise ValueError("expected one of as_of and valid_from, got both")
        return self

    @property
    def timed(self) -> bool:
        """Say whether rows know when they are valid."""
        return self.as_of is not None or super().timed


class CsvLookupSettings(FactsLookup):
    """A lookup over a CSV file in UTF-8 with a header, or a folder of them; quoted as RFC 4180 says."""

    type: Literal["csv"]
    """The kind of lookup."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """The character between two values."""
    null_text: str = ""
    """The text of an absent value, where it is not quoted."""
