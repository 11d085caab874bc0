"""The lookups of the pipeline file: built-in sections, and those of plug-ins by their own models."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    WrapSerializer,
)

from trivium.config.model.kinds import Kinds
from trivium.config.model.references import put_references
from trivium.config.model.remote_lookups import RedisLookupSettings
from trivium.config.model.section import Location
from trivium.config.plugins import LOOKUPS
from trivium.contract.lookup_settings import LookupSettings
from trivium.contract.source import ColumnName


class FileLookup(LookupSettings):
    """A lookup over files that is held in the memory of each worker."""

    path: Location
    """A file, or a folder of them."""
    key: ColumnName
    """The column that holds the keys."""
    refresh_seconds: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds after which the files are looked at again, and read if they changed."""
    max_rows: Annotated[int, Field(ge=1)] = 5_000_000
    """The most rows a worker loads."""
    max_bytes: Annotated[int, Field(ge=1)] = 1 << 30
    """The most bytes of memory a worker loads."""


class ParquetLookupSettings(FileLookup):
    """A lookup over a Parquet file or a folder of them."""

    type: Literal["parquet"]
    """The kind of lookup."""


class CsvLookupSettings(FileLookup):
    """A lookup over a CSV file in UTF-8 with a header, or a folder of them; quoted as RFC 4180 says."""

    type: Literal["csv"]
    """The kind of lookup."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """The character between two values."""
    null_text: str = ""
    """The text of an absent value, where it is not quoted."""


def _dumped(section: LookupSettings, dump: SerializerFunctionWrapHandler) -> Any:
    return put_references(section, dump(section))


LOOKUP_KINDS: Final = Kinds(
    LOOKUPS,
    LookupSettings,
    {"csv": CsvLookupSettings, "parquet": ParquetLookupSettings, "redis": RedisLookupSettings},
)
AnyLookup = Annotated[
    SerializeAsAny[LookupSettings],
    BeforeValidator(LOOKUP_KINDS.read),
    WrapSerializer(_dumped, when_used="json"),
    WithJsonSchema({"type": "object"}),
]
