"""Sections of lookups in the pipeline file: what every lookup says, and what one that calls another system adds."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from trivium.contract.retry import RetryPolicy

_MODEL = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

Unavailable = Literal["fail", "missing", "wait"]


class LookupSettings(BaseModel):
    """A lookup's section of the pipeline file. A lookup of your own adds its keys; they are strict and never change.

    A key named `path` is resolved as every data path of the file.
    """

    model_config = _MODEL

    type: str
    """The kind of lookup: a built-in name, an installed one, or `module:Class` of the project."""
    unavailable: Unavailable = "fail"
    """What happens to events whose lookup stays away: the run fails, the row counts as missing, or they wait for it."""
    retry: RetryPolicy | None = None
    """Replaces the pipeline's retry policy for this lookup, field by field."""

    def key_problem(self, key_type: pa.DataType) -> str | None:
        """Return why the lookup can never answer keys of this type, None where it can."""
        return None


class CacheSettings(BaseModel):
    """Answers kept by a process, of enrichments that declare `Hint.CACHEABLE`. A failure is never kept."""

    model_config = _MODEL

    max_bytes: Annotated[int, Field(ge=1 << 16)] = 64 << 20
    """The most bytes of memory for kept answers; those unused for longest make room."""
    seconds: Annotated[float, Field(gt=0)] = 300.0
    """Seconds for which a found row is kept."""
    absent_seconds: Annotated[float, Field(ge=0)] = 30.0
    """Seconds for which it is kept that a key has no row."""
    stale_seconds: Annotated[float, Field(ge=0)] = 0.0
    """Seconds beyond `seconds` for which a row still answers while the lookup is unavailable; it counts as stale."""


class LookupBreaker(BaseModel):
    """The breaker of a lookup: it stops calls to a system that fails, and lets few of them probe it."""

    model_config = _MODEL

    ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The share of failed calls at which calls stop."""
    window_calls: Annotated[int, Field(ge=1)] = 20
    """The newest calls the share is taken of; fewer never stop calls."""
    open_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Seconds without calls before one may probe, spread by up to half of it at random."""
    probes: Annotated[int, Field(ge=1)] = 2
    """Probes, one after the other, that must succeed before calls go on."""


class RemoteLookupSettings(LookupSettings):
    """A section of a lookup that calls another system, with what the client around it may do."""

    timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Seconds one call may take; for a request the wait for its turn is included."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    """The most calls of a process at a time, of enrichments that declare `Hint.ASYNC`; without it there is one."""
    calls_per_second: Annotated[float, Field(gt=0)] | None = None
    """The most calls a second of a process; no limit without it."""
    max_keys: Annotated[int, Field(ge=1)] = 1000
    """The most keys of one call; more are asked in several."""
    cache: CacheSettings = CacheSettings()
    """Answers kept by a process."""
    breaker: LookupBreaker = LookupBreaker()
    """The breaker of this lookup."""
    wait_seconds: Annotated[float, Field(gt=0)] = 600.0
    """The longest wait under `unavailable: wait` before the run fails after all."""
