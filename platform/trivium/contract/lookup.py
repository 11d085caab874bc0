"""Lookups: tables of facts by key that answer enrichments, and what one of your own declares.

A lookup is a class with a `Settings` and a `fetch`, made by `cls(settings, request)`. The pipeline file names it by its
`type:`, which is a built-in name, an entry point of the group `trivium.lookups`, or `module:Class` of the project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import msgspec
import pyarrow as pa

from trivium.core.clock import Clock, Deadline
from trivium.types.spec import FieldSpec


class LookupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The questions a lookup will get: its name in the pipeline file, the columns it must return, its keys' type.

    `fields` are the declared columns of all enrichments that use it. A key of several fields is a struct; its fields
    belong to the lookup's key columns by place. `as_of` says that keys will come with times. `clock` owns time:
    whatever waits or measures uses it. Where `pinned` is true the facts must stay as they are for the life of the
    object: a batch run reads one state. `snapshot` names the state to open, as `snapshot()` of the driver's lookup did;
    one that cannot go back to it opens what there is, and the run that finds another name stops.
    """

    name: str
    fields: tuple[FieldSpec, ...]
    key_type: pa.DataType
    clock: Clock
    pinned: bool = False
    as_of: bool = False
    snapshot: str | None = None

    @property
    def schema(self) -> pa.Schema:
        """The columns an answer has at least, under their names in the lookup."""
        return pa.schema([pa.field(spec.wire, spec.type.arrow, spec.nullable) for spec in self.fields])


@dataclass(frozen=True)
class Answer:
    """The answer to a list of keys.

    `rows` holds found rows, in any order and with any others beside them; `index` (int32, one entry a key) says which
    row answers a key and is null where the key is unknown. `stale` says that the rows are older than the lookup's
    settings want them, because newer ones cannot be had.
    """

    rows: pa.RecordBatch
    index: pa.Int32Array
    stale: bool = False


class Lookup(Protocol):
    """A table of facts by key. Lookups do I/O; the engine only asks them.

    One that answers from this process's memory says `in_memory = True`: it is called directly, with no thread, no cache
    and no limits around it. Others are called from threads of the engine, from several at once where an enrichment
    declares `Hint.ASYNC`. A method `close()`, where there is one, is called at the end.
    """

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct, non-null `keys`.

        Raises:
            LookupUnavailable: no answer within the deadline; the engine tries again by the policy.
        """
        ...


def is_in_memory(lookup: object) -> bool:
    """Return whether a lookup, or the class of one, says that it answers from this process's memory."""
    return bool(getattr(lookup, "in_memory", False))


@runtime_checkable
class TimedLookup(Protocol):
    """A lookup whose facts change over time and that knows since when each was valid."""

    def fetch_as_of(self, keys: pa.Array, times: pa.TimestampArray, deadline: Deadline) -> Answer:
        """Answer distinct pairs of a key and a time (microseconds, UTC): the fact of the key that was valid then.

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
