"""What the driver tells a worker of a stream, and what the worker answers: small, plain, the same on every node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from trivium.delivery.commit.stream import Range
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.storage.token import StorageToken
from trivium.engine.breaker import RejectSummary
from trivium.engine.outcomes import Counts, total_of


@dataclass(frozen=True)
class StreamJob:
    """One streaming run as its workers see it. `epochs` holds each topic's position epoch."""

    plan: bytes
    secrets: Mapping[str, str] = field(repr=False)
    root: str
    generation: int
    epochs: Mapping[str, int]
    token: StorageToken


@dataclass(frozen=True)
class EpochRequest:
    """One epoch to run.

    `positions` (re-)assigns partitions first; None: go on where the last epoch ended. `alone` bounds the records of an
    epoch that is to find what kills or hangs a worker; None: bounded by time and bytes as configured.
    """

    positions: Mapping[str, int] | None = None
    alone: int | None = None


@dataclass(frozen=True)
class EpochResult:
    """What came of an epoch: the stretch of each partition, the files, the balance by event type, the rejects.

    `buffered_bytes` were fetched and wait; `reconnects` counts consumers made anew since the worker started.
    """

    ranges: Mapping[str, Range] = field(default_factory=dict)
    files: tuple[DataFile, ...] = ()
    letters: tuple[DataFile, ...] = ()
    counts: Mapping[str, Counts] = field(default_factory=dict)
    rejects: RejectSummary = field(default_factory=RejectSummary)
    buffered_bytes: int = 0
    reconnects: int = 0

    @property
    def read(self) -> int:
        """Inputs read."""
        return sum(each.read for each in self.ranges.values())

    @property
    def total(self) -> Counts:
        """The balance over all event types."""
        return total_of(self.counts)

    def with_source(self, buffered_bytes: int, reconnects: int) -> EpochResult:
        """The result with what the source says of itself."""
        return replace(self, buffered_bytes=buffered_bytes, reconnects=reconnects)

    def encode(self) -> str:
        """As JSON text."""
        return json.dumps(
            {
                "ranges": {name: asdict(each) for name, each in self.ranges.items()},
                "files": [file.as_json() for file in self.files],
                "letters": [file.as_json() for file in self.letters],
                "counts": {name: asdict(each) for name, each in self.counts.items()},
                "rejects": self.rejects.as_json(),
                "buffered_bytes": self.buffered_bytes,
                "reconnects": self.reconnects,
            }
        )

    @classmethod
    def decode(cls, text: str) -> EpochResult:
        """The inverse of `encode`."""
        found = json.loads(text)
        return cls(
            {name: Range(**each) for name, each in found["ranges"].items()},
            tuple(map(DataFile.from_json, found["files"])),
            tuple(map(DataFile.from_json, found["letters"])),
            {name: Counts(**each) for name, each in found["counts"].items()},
            RejectSummary.from_json(found["rejects"]),
            found["buffered_bytes"],
            found["reconnects"],
        )
