"""The lookups of the pipeline file: built-in sections, and those of plug-ins by their own models."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    WrapSerializer,
)

from trivium.config.model.file_lookups import CsvLookupSettings, DeltaLookupSettings, ParquetLookupSettings
from trivium.config.model.kinds import Kinds
from trivium.config.model.references import put_references
from trivium.config.model.remote_lookups import (
    HttpLookupSettings,
    RedisLookupSettings,
    ServeLookupSettings,
    SqlLookupSettings,
)
from trivium.config.plugins import LOOKUPS
from trivium.contract.lookup_settings import LookupSettings


def _dumped(section: LookupSettings, dump: SerializerFunctionWrapHandler) -> Any:
    return put_references(section, dump(section))


LOOKUP_KINDS: Final = Kinds(
    LOOKUPS,
    LookupSettings,
    {
        "csv": CsvLookupSettings,
        "delta": DeltaLookupSettings,
        "http": HttpLookupSettings,
        "parquet": ParquetLookupSettings,
        "redis": RedisLookupSettings,
        "serve": ServeLookupSettings,
        "sql": SqlLookupSettings,
    },
)
AnyLookup = Annotated[
    SerializeAsAny[LookupSettings],
    BeforeValidator(LOOKUP_KINDS.read),
    WrapSerializer(_dumped, when_used="json"),
    WithJsonSchema({"type": "object"}),
]
