"""Client of the development broker: its health, and the contents of its topics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient


@dataclass(frozen=True)
class TopicEnds:
    """A topic, and the next offset of each of its partitions."""

    name: str
    ends: tuple[int, ...]


@contextmanager
def admin_client(servers: str, seconds: float) -> Iterator[KafkaAdminClient]:
    """Return a client that gives up after so many seconds.

    Raises:
        kafka.errors.KafkaError: nothing answers there.
    """
    from kafka.admin import KafkaAdminClient

    limit = int(seconds * 1000)
    client = KafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=limit, bootstrap_timeout_ms=limit)
    try:
        yield client
    finally:
        client.close()


def answers(servers: str, cluster: str | None, seconds: float) -> bool:
    """Return whether the broker of that cluster, and not another one at its port, is ready to make topics."""
    from kafka.errors import KafkaError

    try:
        with admin_client(servers, seconds) as client:
            found = client.describe_cluster()
    except KafkaError:
        return False
    return found["cluster_id"] == cluster and bool(found["brokers"])


def topics(servers: str, seconds: float) -> list[TopicEnds]:
    """Return the topics, without Kafka's own, by name.

    Raises:
        kafka.errors.KafkaError: it does not answer in time.
    """
    from kafka import TopicPartition
    from kafka.admin import OffsetSpec

    with admin_client(servers, seconds) as client:
        described = [topic for topic in client.describe_topics() if not topic["is_internal"]]
        counts = {topic["name"]: len(topic["partitions"]) for topic in described}
        parts = {name: [TopicPartition(name, number) for number in range(count)] for name, count in counts.items()}
        wanted = {part: OffsetSpec.LATEST for listed in parts.values() for part in listed}
        ends = client.list_partition_offsets(wanted) if wanted else {}
    return [TopicEnds(name, tuple(ends[part].offset for part in parts[name])) for name in sorted(parts)]
