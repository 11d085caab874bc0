"""Trivium: one executor per event type, unchanged in batch, streaming and serving.

`from trivium import …` gives an author everything there is to import.
"""

import importlib
from typing import TYPE_CHECKING, Any

from msgspec import Meta, field

from trivium.contract.enrichment import Enrichment, Hint
from trivium.contract.errors import LookupUnavailable, RejectError, RowErrors, TransientError
from trivium.contract.executor import Executor, ExecutorOptions
from trivium.contract.lookup import Answer, Lookup, LookupRequest, TimedLookup
from trivium.contract.lookup_settings import LookupSettings, RemoteLookupSettings
from trivium.contract.retry import RetryPolicy
from trivium.contract.rows import Event, NormalizedEvent, Row
from trivium.contract.secret_uri import SecretUri
from trivium.contract.source import BatchSource, SourcePart, SourceRequest, SourceSettings
from trivium.core.clock import Deadline
from trivium.core.errors import ContractError, TriviumError
from trivium.types.kinds.raw_json import RawJson
from trivium.types.numbers import Float32, Int8, Int16, Int32, Precision

if TYPE_CHECKING:
    from trivium.notebook.run import run

__all__ = [
    "Answer",
    "BatchSource",
    "ContractError",
    "Deadline",
    "Enrichment",
    "Event",
    "Executor",
    "ExecutorOptions",
    "Float32",
    "Hint",
    "Int8",
    "Int16",
    "Int32",
    "Lookup",
    "LookupRequest",
    "LookupSettings",
    "LookupUnavailable",
    "Meta",
    "NormalizedEvent",
    "Precision",
    "RawJson",
    "RejectError",
    "RemoteLookupSettings",
    "RetryPolicy",
    "Row",
    "RowErrors",
    "SecretUri",
    "SourcePart",
    "SourceRequest",
    "SourceSettings",
    "TimedLookup",
    "TransientError",
    "TriviumError",
    "field",
    "run",
]


def __getattr__(name: str) -> Any:
    """Import `run` on its first use: an executor's module needs no more than the contract."""
    if name == "run":
        return importlib.import_module("trivium.notebook.run").run
    message = f"module 'trivium' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """Name `run` too, before it is imported."""
    return sorted({*globals(), *__all__})
