"""A partition as text: "topic/number", as every other part of Trivium calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafka import TopicPartition


class Partition(NamedTuple):
    """A topic's partition by number."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


def parse(partition: str) -> Partition:
    """Return the parts of "topic/number".

    Raises:
        ValueError: if the text is no such name.
    """
    topic, slash, number = partition.rpartition("/")
    if not slash or not topic or not number.isdecimal():
        raise ValueError(f"expected a partition as topic/number, got {partition!r}")
    return Partition(topic, int(number))


def to_client(partition: str) -> TopicPartition:
    """Return the client's own name of it."""
    from kafka import TopicPartition

    return TopicPartition(*parse(partition))


def from_client(partition: TopicPartition) -> str:
    """Return the client's name as text."""
    return f"{partition.topic}/{partition.partition}"
