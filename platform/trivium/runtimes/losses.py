"""Lost workers: the line between a process that is gone and an error that has a name, and what is said of a record."""

from __future__ import annotations

from typing import Final, Literal

from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from trivium.core.error_text import raised, text_of
from trivium.core.errors import TriviumError

GONE: Final = (RayActorError, WorkerCrashedError, NodeDiedError, OutOfMemoryError, ObjectLostError)
"""Ray's errors when the process that was to answer, or its node with the answer, is there no more."""

Loss = Literal["worker_died", "worker_hung"]
LOSS_TEXT: Final[dict[Loss, str]] = {
    "worker_died": "the process that ran this record alone died, twice",
    "worker_hung": "the process that ran this record alone did not finish in time, twice",
}
LOSSES_ALONE: Final = 2
"""Workers that a record alone may take with it before it is a dead letter."""


def first_line(error: RayError) -> str:
    """Return the first line of what Ray says."""
    return text_of(error).partition("\n")[0]


def own_words(error: RayError) -> str:
    """Return what a worker raised: a TriviumError in its own words, anything else as its class and its text."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(cause, TriviumError):
        return str(cause)
    return raised(cause) if isinstance(cause, BaseException) else first_line(error)
