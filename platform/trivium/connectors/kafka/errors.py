"""Errors of a Kafka source. Each message names the place and the choices; each class survives pickling."""

from __future__ import annotations

from trivium.core.errors import SourceError


class KafkaUnavailableError(SourceError):
    """No broker answered in time."""


class KafkaAccessError(SourceError):
    """The cluster refused the credentials, the certificate or the access to a topic."""


class KafkaTopicError(SourceError):
    """A topic does not exist, or cannot be distinguished from another of the same name."""


class KafkaStalledError(SourceError):
    """Records are in the log, and no fresh connection brings them."""


class KafkaPositionError(SourceError):
    """A position lies outside what the log holds, or the log was cut back below it."""


class KafkaRecordError(SourceError):
    """A record batch cannot be read; nothing of it, and nothing behind it in its partition, was handed out.

    `first` and `last` are the batch's offsets as its header gives them (equal to the fetch position where the header
    itself is unreadable).
    """

    def __init__(self, partition: str, first: int, last: int, reason: str) -> None:
        super().__init__(partition, first, last, reason)
        self.partition, self.first, self.last, self.reason = partition, first, last, reason

    def __str__(self) -> str:
        return (
            f"{self.partition}, the record batch of offsets {self.first} to {self.last} cannot be read: {self.reason}"
        )
