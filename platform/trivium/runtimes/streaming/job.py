"""Messages between the driver of a stream and its workers: small, plain, the same on every node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import pyarrow as pa

from trivium.delivery.commit.stream import OffsetRange
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.storage.token import StorageToken
from trivium.engine.breaker import RejectSummary
from trivium.engine.lookups.usage import LookupUse
from trivium.engine.outcomes import Counts, total_of


@dataclass(frozen=True)
class StreamJob:
    """One streaming run as its workers see it.

    `epochs` holds each topic's position epoch. `columns` are the author's columns as the table takes them; None: as the
    pipeline makes them. `parked` are the event types that are held back, each with the sentence that says why.
    """

    plan: bytes
    secrets: Mapping[str, str] = field(repr=False)
    root: str
    generation: int
    epochs: Mapping[str, int]
    token: StorageToken
    columns: pa.Schema | None = None
    parked: Mapping[str, str] = field(default_factory=dict)


class EpochRequest(msgspec.Struct, frozen=True):
    """One epoch to run.

    `positions` (re-)assigns partitions first; None: go on where the last epoch ended. `alone` bounds the records of an
    epoch that is to find what kills or hangs a worker; None: bounded by time and bytes as configured.
    """

    positions: dict[str, int] | None = None
    alone: int | None = None


class EpochResult(msgspec.Struct, frozen=True):
    """An epoch's outcome: the stretch of each partition, the files, the balance by event type, rejects, use of lookups.

    `buffered_bytes` were fetched and wait; `reconnects` counts consumers made anew since the worker started.
    """

    ranges: Mapping[str, OffsetRange] = {}
    files: tuple[DataFile, ...] = ()
    letters: tuple[DataFile, ...] = ()
    counts: Mapping[str, Counts] = {}
    rejects: RejectSummary = ()
    buffered_bytes: int = 0
    reconnects: int = 0
    lookups: Mapping[str, LookupUse] = {}

    @property
    def read(self) -> int:
        """Inputs read."""
        return sum(each.read for each in self.ranges.values())

    @property
    def total(self) -> Counts:
        """The balance over all event types."""
        return total_of(self.counts)

    def with_source(self, buffered_bytes: int, reconnects: int) -> EpochResult:
        """Return the result with what the source says of itself."""
        return msgspec.structs.replace(self, buffered_bytes=buffered_bytes, reconnects=reconnects)
