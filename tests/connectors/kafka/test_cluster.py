"""The driver's view of a real cluster."""

import pickle
import time

import pytest
from confluent_kafka import Producer
from kafka import TopicPartition

from tests.support.kafka_cluster import log_of, produce, source
from tests.support.processes import stopped, until
from trivium.connectors.kafka.errors import KafkaTopicError, KafkaUnavailableError
from trivium.connectors.kafka.partition import parse
from trivium.core.network import free_port
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import MakeTopic


def test_partitions_in_order_and_new_ones(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    many, one = kafka_topic(partitions=12), kafka_topic()
    with log_of(source(kafka_broker.servers, many, one)) as log:
        assert log.partitions() == [*(f"{many}/{n}" for n in range(12)), f"{one}/0"]
        with kafka_broker.admin() as admin:
            admin.create_partitions({one: 3})
        give_up = time.monotonic() + 10
        while len(log.partitions()) < 15 and time.monotonic() < give_up:
            time.sleep(0.1)
        assert log.partitions()[12:] == [f"{one}/{n}" for n in range(3)]


def test_a_missing_topic_names_a_near_one(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic()
    with log_of(source(kafka_broker.servers, topic, topic[:-1])) as log:
        with pytest.raises(KafkaTopicError, match=rf"has no topic '{topic[:-1]}'; did you mean {topic}\?"):
            log.partitions()
        with pytest.raises(KafkaTopicError):
            log.identity(topic[:-1])
    with kafka_broker.admin() as admin:
        assert topic[:-1] not in admin.list_topics()


def test_identity_is_of_the_topic_not_of_its_name(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic, other = kafka_topic(), kafka_topic()
    with log_of(source(kafka_broker.servers, topic)) as log, log_of(source(kafka_broker.servers, topic)) as again:
        first = log.identity(topic)
        assert 0 <= first < 1 << 63
        assert first == again.identity(topic)
        assert first != log.identity(other)
        with kafka_broker.admin() as admin:
            admin.delete_topics([topic])
            give_up = time.monotonic() + 20
            while topic in admin.list_topics() and time.monotonic() < give_up:
                time.sleep(0.1)
            admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        assert log.identity(topic) != first


def test_offsets(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic(partitions=2, retention_ms=-1)
    full, empty = f"{topic}/0", f"{topic}/1"
    producer = Producer({"bootstrap.servers": kafka_broker.servers, "linger.ms": 50})
    for n in range(100):
        producer.produce(topic, b"x", partition=0, timestamp=1000 * n)
    producer.flush(30)
    with log_of(source(kafka_broker.servers, topic)) as log:
        with kafka_broker.admin() as admin:
            admin.delete_records({TopicPartition(topic, 0): 10})
        assert log.beginning([full, empty]) == {full: 10, empty: 0}
        assert log.end([full, empty]) == {full: 100, empty: 0}
        assert log.at_time([full, empty], 50_001) == {full: 51, empty: 0}
        assert log.at_time([full], 99_001) == {full: 100}
        assert log.end([]) == {}


def test_the_end_under_an_open_transaction(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic()
    produce(kafka_broker.servers, topic, [b"a", b"b"])
    producer = Producer({"bootstrap.servers": kafka_broker.servers, "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"open", partition=0)
    producer.flush(30)
    name = f"{topic}/0"
    with log_of(source(kafka_broker.servers, topic)) as log:
        assert log.end([name]) == {name: 2}
    with log_of(source(kafka_broker.servers, topic, isolation="read_uncommitted")) as log:
        assert log.end([name]) == {name: 3}
    producer.abort_transaction(30)


def test_group_offsets_are_seen_by_lag_tools(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic(partitions=2)
    with log_of(source(kafka_broker.servers, topic)) as log:
        for offset in (5, 7):
            log.publish_group_offsets(f"group-{topic}", {f"{topic}/0": offset, f"{topic}/1": 0})
        log.publish_group_offsets(f"group-{topic}", {})
    with kafka_broker.admin() as admin:
        found = admin.list_group_offsets({f"group-{topic}": None})[f"group-{topic}"]
    assert {at.partition: each.offset for at, each in found.items()} == {0: 7, 1: 0}


def test_no_broker_is_said_within_the_time_out() -> None:
    nowhere = source(f"127.0.0.1:{free_port()}", "topic", request_timeout_seconds=1.5)
    started = time.monotonic()
    with log_of(nowhere) as log:
        with pytest.raises(
            KafkaUnavailableError, match=rf"{nowhere.servers} answered within 1.5 s .* refused"
        ) as caught:
            log.partitions()
        assert time.monotonic() - started < 5
        with pytest.raises(KafkaUnavailableError):
            log.publish_group_offsets("group", {"topic/0": 1})
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_broker_that_hangs_blocks_publishing_for_five_seconds_at_most(
    paused_kafka_broker: DevBroker, kafka_topic: MakeTopic
) -> None:
    topic = kafka_topic()
    with log_of(source(paused_kafka_broker.servers, topic)) as log:
        log.publish_group_offsets(f"group-{topic}", {f"{topic}/0": 1})
        paused_kafka_broker.pause()
        until(lambda: stopped(paused_kafka_broker.pid or 0), "the broker is stopped", 10)
        started = time.monotonic()
        with pytest.raises(KafkaUnavailableError, match="within 5 s"):
            log.publish_group_offsets(f"group-{topic}", {f"{topic}/0": 2})
        assert time.monotonic() - started < 7


@pytest.mark.parametrize("text", ["topic", "/1", "topic/", "topic/x", "topic/-1"])
def test_a_partition_is_topic_and_number(text: str) -> None:
    assert parse("a.b_c-d/12") == ("a.b_c-d", 12)
    with pytest.raises(ValueError, match="topic/number"):
        parse(text)
