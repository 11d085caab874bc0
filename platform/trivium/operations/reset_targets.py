"""Targets of a reset: the offsets at which a stream is to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from trivium.connectors.kafka.cluster import KafkaLog
from trivium.operations.errors import ArgumentError


@dataclass(frozen=True)
class Wanted:
    """An offset to go on at: exactly there, or, if `at_least`, there unless the position is past it already."""

    offset: int
    at_least: bool = False


class Target(Protocol):
    """Target of a reset of positions."""

    def wanted(self, log: KafkaLog, partitions: list[str]) -> dict[str, Wanted]:
        """Return the offsets, of all of these partitions or of some.

        Raises:
            ArgumentError: it speaks of other partitions.
            SourceError: Kafka does not answer.
        """


class ToBeginning:
    """The oldest record the log still holds."""

    def wanted(self, log: KafkaLog, partitions: list[str]) -> dict[str, Wanted]:
        """Return the offsets of this target."""
        return {name: Wanted(at, at_least=True) for name, at in log.beginning(partitions).items()}


class ToEnd:
    """Behind the last record that can be read now."""

    def wanted(self, log: KafkaLog, partitions: list[str]) -> dict[str, Wanted]:
        """Exactly there."""
        return {name: Wanted(at) for name, at in log.end(partitions).items()}


@dataclass(frozen=True)
class ToTime:
    """The first record of this time or later, in microseconds since 1970 UTC."""

    at_us: int

    def wanted(self, log: KafkaLog, partitions: list[str]) -> dict[str, Wanted]:
        """Return the offsets of this target."""
        found = log.at_time(partitions, self.at_us // 1000)
        return {name: Wanted(at, at_least=True) for name, at in found.items()}


@dataclass(frozen=True)
class ToOffsets:
    """Named offsets, of some partitions."""

    given: Mapping[str, int]

    def wanted(self, log: KafkaLog, partitions: list[str]) -> dict[str, Wanted]:
        """Exactly there."""
        unknown = sorted(set(self.given) - set(partitions))
        if unknown:
            message = f"expected partitions of the pipeline's topics, got {', '.join(unknown)}"
            raise ArgumentError(f"{message}. Try: some of {', '.join(partitions)}")
        return {name: Wanted(at) for name, at in self.given.items()}
