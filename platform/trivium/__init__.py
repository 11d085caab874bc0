"""Trivium: one executor per event type, unchanged in batch, streaming and serving.

`from trivium import …` gives an author everything there is to import.
"""

import importlib
from typing import Any

from trivium.contract.enrichment import Enrichment, Hint
from trivium.contract.errors import (
    ContractError,
    RejectError,
    RowErrors,
    TransientError,
    TriviumError,
)
from trivium.contract.executor import Executor, ExecutorOptions
from trivium.contract.retry import RetryPolicy
from trivium.contract.rows import Event, NormalizedEvent, Row
from trivium.contract.types import Float32, Int8, Int16, Int32, Precision

__all__ = [
    "ContractError",
    "Enrichment",
    "Event",
    "Executor",
    "ExecutorOptions",
    "Float32",
    "Hint",
    "Int8",
    "Int16",
    "Int32",
    "NormalizedEvent",
    "Precision",
    "RejectError",
    "RetryPolicy",
    "Row",
    "RowErrors",
    "TransientError",
    "TriviumError",
    "run",
]


def __getattr__(name: str) -> Any:
    """`run` is imported when it is asked for: an executor's module needs no more than the contract."""
    if name == "run":
        return importlib.import_module("trivium.runtimes.notebook.run").run
    message = f"module 'trivium' has no attribute {name!r}"
    raise AttributeError(message)
