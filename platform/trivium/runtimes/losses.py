"""The line between a process that is gone and an error that has a name: only the first is a lost worker."""

from __future__ import annotations

from typing import Final

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
"""What Ray raises when the process that was to answer, or its node with the answer, is there no more."""


def first_line(error: RayError) -> str:
    """Return the first line of what Ray says."""
    return text_of(error).partition("\n")[0]


def own_words(error: RayError) -> str:
    """Return what a worker raised: a TriviumError in its own words, anything else as its class and its text."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(cause, TriviumError):
        return str(cause)
    return raised(cause) if isinstance(cause, BaseException) else first_line(error)
