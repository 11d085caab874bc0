"""The business logic of one event type, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from trivium.contract.declaration import Declaration, declare
from trivium.contract.errors import TransientError
from trivium.contract.rows import Event, NormalizedEvent

EventT = TypeVar("EventT", bound=Event)
RowT = TypeVar("RowT", bound=NormalizedEvent)


class ExecutorOptions(BaseModel):
    """Options that a pipeline file may set on an executor: strict, frozen, no unknown keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class Executor(Generic[EventT, RowT]):
    """Turns events of one type into rows, identically in every runtime.

    Override exactly one of `process` (one event) and `process_batch` (columns). Enrichments are class attributes and
    arrive as parameters of the same name. An executor does no I/O, reads no clock, environment or randomness, and
    keeps no state between events; models and files come through `open`.
    """

    Options: ClassVar[type[ExecutorOptions]] = ExecutorOptions
    declaration: ClassVar[Declaration]
    options: Any
    """What the pipeline file set, as an instance of `Options`; an executor that has some writes `options: Options`."""

    def __init__(self, options: ExecutorOptions | None = None) -> None:
        self.options = options if options is not None else self.Options()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        caller = sys._getframe(1)  # noqa: SLF001 - the only way to the line of the class statement
        cls.declaration = declare(cls, Executor, (caller.f_code.co_filename, caller.f_lineno))

    def open(self, artifacts: Mapping[str, str | bytes]) -> None:
        """Load models and files, once per worker. `artifacts` maps each name of the pipeline file to a local path."""

    def accepts(self, event: EventT) -> bool:
        """Return whether the event is wanted at all; runs before any enrichment is fetched. False drops it."""
        return True

    # `*args` and `**enrichments` of any type are what lets an executor name and type its own parameters.
    def process(self, event: EventT, *args: Any, **enrichments: Any) -> RowT | Sequence[RowT] | None:
        """Return one event to one row, to several (a list or tuple), or to None, which drops it. Raise to reject it."""
        raise TypeError(f"{type(self).__name__} has the column form only")

    def process_batch(self, events: pa.RecordBatch, *args: Any, **enrichments: Any) -> tuple[pa.RecordBatch, Any]:
        """Map columns of events to columns of rows, with the index (int32) of the event each row came from.

        Enrichments are aligned with `events` row by row; a missing one (`missing="null"`) is null in every column. An
        event without rows is dropped. Rows may not depend on their neighbours: the engine splits and repeats batches.

        Raises:
            RowErrors: to reject single rows.
        """
        raise TypeError(f"{type(self).__name__} has the row form only")

    def is_retryable(self, error: Exception) -> bool:
        """Return whether the failure of an event is worth trying again. The retry policy says when."""
        return isinstance(error, TransientError)
