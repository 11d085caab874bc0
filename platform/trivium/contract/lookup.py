"""Lookups: tables of facts by key that answer enrichments, and what one of your own declares.

A lookup is a class with a `Settings` and a `fetch`, made by `cls(settings, request)`. The pipeline file names it by its
`type:`, which is a built-in name, an entry point of the group `trivium.lookups`, or `module:Class` of the project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import msgspec
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from trivium.contract.retry import RetryPolicy
from trivium.core.clock import Clock, Deadline
from trivium.types.spec import FieldSpec


class LookupSettings(BaseModel):
    """A lookup's section of the pipeline file. A lookup of your own adds its keys; they are strict and never change.

    A key named `path` is resolved as every data path of the file.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: str
    """The kind of lookup: a built-in name, an installed one, or `module:Class` of the project."""
    unavailable: Literal["fail", "missing"] = "fail"
    """What happens to an event whose lookup stays away: the run fails, or the row counts as missing."""
    retry: RetryPolicy | None = None
    """Replaces the pipeline's retry policy for this lookup, field by field."""


class LookupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The questions a lookup will get: its name in the pipeline file, the columns it must return, its keys' type.

    `fields` are the declared columns of all enrichments that use it. `clock` owns time: whatever waits or measures uses
    it. Where `pinned` is true the facts must stay as they are for the life of the object: a batch run reads one state.
    """

    name: str
    fields: tuple[FieldSpec, ...]
    key_type: pa.DataType
    clock: Clock
    pinned: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The columns an answer has at least, under their names in the lookup."""
        return pa.schema([pa.field(spec.wire, spec.type.arrow, spec.nullable) for spec in self.fields])


@dataclass(frozen=True)
class Answer:
    """The answer to a list of keys.

    `rows` holds found rows, in any order and with any others beside them; `index` (int32, one entry a key) says which
    row answers a key and is null where the key is unknown.
    """

    rows: pa.RecordBatch
    index: pa.Int32Array


class Lookup(Protocol):
    """A table of facts by key. Lookups do I/O; the engine only calls `fetch`."""

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct, non-null `keys`.

        Raises:
            LookupUnavailable: no answer within the deadline; the engine tries again by the policy.
        """
        ...


@runtime_checkable
class SnapshotLookup(Protocol):
    """A lookup that can name its state. A batch run whose workers see another state than its driver stops."""

    def snapshot(self) -> str:
        """Return a short text that changes when the facts do."""
        ...
