"""The driver's view of Kafka: which partitions there are, what their logs hold, and who they are."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any, Final, TypeVar

from trivium.config.model.streaming import KafkaSource
from trivium.connectors.kafka.client import open_client, translate
from trivium.connectors.kafka.errors import KafkaTopicError, KafkaUnavailableError
from trivium.connectors.kafka.partition import from_client, to_client
from trivium.core.clock import Clock, Deadline
from trivium.core.errors import SourceError
from trivium.core.suggest import one_of

_PUBLISH_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 0.2
_NO_ID: Final = str(uuid.UUID(int=0))
Answer = TypeVar("Answer")


class KafkaLog:
    """Asks the cluster about the source's topics. Every question is answered within the source's time-out, or raises.

    Nothing is kept between questions but the connection: topics grow partitions, and leaders move.
    """

    def __init__(self, source: KafkaSource, password: str | None, clock: Clock) -> None:
        """Keep the source; connect at the first call that needs it."""
        self._source, self._password, self._clock = source, password, clock
        self._admin: Any = None
        self._publisher = ThreadPoolExecutor(1, thread_name_prefix="kafka-group-offsets")

    def partitions(self) -> list[str]:
        """Return all partitions of the source's topics, in order, as "topic/number".

        Raises:
            SourceError: a topic does not exist (the message names near ones), or no broker answers.
        """
        topics = self._describe(self._source.topics)
        return [
            f"{name}/{number}"
            for name in self._source.topics
            for number in sorted(each["partition_index"] for each in topics[name]["partitions"])
        ]

    def identity(self, topic: str) -> int:
        """Return 63 bits that stand for this very topic in this very cluster: another one of the same name has others.

        Raises:
            SourceError: the topic does not exist, or the brokers are older than topic ids (Kafka 2.8).
        """
        topic_id = self._describe((topic,))[topic].get("topic_id")
        if topic_id is None or str(topic_id) == _NO_ID:
            raise KafkaTopicError(
                f"{self._source.servers} gives no id for topic {topic}; Kafka 2.8 or later is needed, since a topic "
                "that was deleted and made again could not be told from the first"
            )
        cluster = self._call("asking for the cluster's id", lambda admin: admin.describe_cluster()["cluster_id"])
        digest = hashlib.sha256(f"{cluster}/{topic_id}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def beginning(self, partitions: Iterable[str]) -> dict[str, int]:
        """Return the first offset each log still holds."""
        from kafka.protocol.consumer import OffsetSpec

        return self._offsets(partitions, OffsetSpec.EARLIEST)

    def end(self, partitions: Iterable[str]) -> dict[str, int]:
        """Return the offset behind the last readable record: under read_committed, the last stable offset."""
        from kafka.protocol.consumer import OffsetSpec

        return self._offsets(partitions, OffsetSpec.LATEST)

    def at_time(self, partitions: Iterable[str], ms: int) -> dict[str, int]:
        """Return the first offset with a timestamp of `ms` (milliseconds since 1970 UTC) or later, else the end."""
        names = list(partitions)
        found = self._offsets(names, ms)
        missing = [name for name, offset in found.items() if offset < 0]
        return found | self.end(missing)

    def publish_group_offsets(self, group: str, positions: Mapping[str, int]) -> None:
        """Show progress to lag tools as the offsets of a group that has no members. Nothing ever resumes from them.

        Waits for five seconds at most.

        Raises:
            SourceError: the offsets were not taken, or not in time.
        """
        published = self._publisher.submit(self._publish, group, dict(positions))
        try:
            published.result(_PUBLISH_SECONDS)
        except NotYet:
            published.cancel()
            raise KafkaUnavailableError(
                f"{self._source.servers} did not take the offsets of group {group} within {_PUBLISH_SECONDS:g} s"
            ) from None

    def close(self) -> None:
        """Let go of the connection; idempotent."""
        self._publisher.shutdown(wait=False, cancel_futures=True)
        self._drop()

    def _describe(self, names: Iterable[str]) -> dict[str, Any]:
        wanted = list(names)
        topics = self._call("asking for topics", lambda admin: admin.describe_topics(wanted))
        found = {topic["name"]: topic for topic in topics if not topic["error_code"]}
        for name in wanted:
            if name not in found:
                raise self._missing(name, next((each for each in topics if each["name"] == name), {}))
        return found

    def _missing(self, name: str, answer: Mapping[str, Any]) -> SourceError:
        from kafka import errors

        error = errors.for_code(answer.get("error_code", errors.UnknownTopicOrPartitionError.errno))
        if error is not errors.UnknownTopicOrPartitionError:
            return translate(error(name), self._source, f"asking for topic {name}")
        there = self._call("asking for all topics", lambda admin: admin.list_topics())
        hint = one_of(name, (topic for topic in there if not topic.startswith("__")))
        return KafkaTopicError(
            f"source.topics: {self._source.servers} has no topic {name!r}; {hint or 'it has no topics at all'}"
        )

    def _offsets(self, partitions: Iterable[str], spec: int) -> dict[str, int]:
        from kafka.protocol.consumer import IsolationLevel

        specs = {to_client(name): spec for name in partitions}
        if not specs:
            return {}
        level = IsolationLevel.build_from(self._source.isolation)
        answer = self._call("asking for offsets", lambda admin: admin.list_partition_offsets(specs, level))
        return {from_client(partition): answer[partition].offset for partition in specs}

    def _publish(self, group: str, positions: Mapping[str, int]) -> None:
        from kafka.errors import KafkaError, NoError, RetriableError
        from kafka.structs import OffsetAndMetadata

        offsets = {to_client(name): OffsetAndMetadata(offset, "", -1) for name, offset in positions.items()}
        doing, deadline = f"publishing the offsets of group {group}", Deadline.after(self._clock, _PUBLISH_SECONDS)
        while True:
            answer = self._call(doing, lambda admin: admin.alter_group_offsets(group, offsets), deadline.remaining())
            refused = {from_client(at): error for at, error in answer.items() if error is not NoError}
            if not refused:
                return
            self._drop()
            which = ", ".join(f"{name}: {error.__name__}" for name, error in refused.items())
            if not all(
                issubclass(error, KafkaError) and issubclass(error, RetriableError) for error in refused.values()
            ):
                raise SourceError(
                    f"{self._source.servers} refused {doing}: {which}. Is a consumer active in that group?"
                )
            if deadline.remaining() <= _RETRY_SECONDS:
                raise KafkaUnavailableError(f"{self._source.servers} is not ready for {doing}: {which}")
            self._clock.sleep(_RETRY_SECONDS)

    def _call(self, doing: str, question: Callable[[Any], Answer], seconds: float | None = None) -> Answer:
        """Return the answer; failures that may pass are tried again on a fresh connection until the time is over."""
        from kafka.errors import KafkaError, RetriableError

        deadline = Deadline.after(self._clock, seconds or self._source.request_timeout_seconds)
        while True:
            try:
                return question(self._connected())
            except KafkaError as error:
                self._drop()
                passing = isinstance(error, RetriableError)
                if not passing or deadline.remaining() <= _RETRY_SECONDS:
                    raise translate(error, self._source, doing) from error
            self._clock.sleep(_RETRY_SECONDS)

    def _connected(self) -> Any:
        from kafka.admin import KafkaAdminClient

        if self._admin is None:
            self._admin = open_client(KafkaAdminClient, self._source, self._password)
        return self._admin

    def _drop(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None
