"""A reader beside a broker that damages, disappears, hangs or falls silent; and what it holds in memory."""

import logging
import os
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.support.kafka_cluster import CLOCK, poll_until_error, produce, read_to, reading, source
from trivium.connectors.kafka.errors import KafkaRecordError, KafkaStalledError, KafkaUnavailableError
from trivium.connectors.kafka.reader import KafkaReader
from trivium.core.network import free_port
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import MakeTopic, topic_maker


def test_a_batch_damaged_on_the_brokers_disk(own_kafka_broker: DevBroker) -> None:
    topic = topic_maker(own_kafka_broker)()
    for part in range(3):
        produce(own_kafka_broker.servers, topic, [b"part-%d" % part] * 100)
    own_kafka_broker.stop()
    (segment,) = Path(own_kafka_broker.data_path).rglob(f"{topic}-0/*.log")
    data = bytearray(segment.read_bytes())
    data[data.index(b"part-1") + 1] ^= 0x20
    segment.write_bytes(data)
    own_kafka_broker.start()
    with reading(source(own_kafka_broker.servers, topic), {f"{topic}/0": 0}) as reader:
        assert read_to(reader, {f"{topic}/0": 0}, {f"{topic}/0": 100})[f"{topic}/0"].next == 100
        started = time.monotonic()
        for _ in range(3):
            with pytest.raises(KafkaRecordError, match=rf"{topic}/0, the record batch of offsets 100 to 199 .* CRC"):
                poll_until_error(reader)
        assert time.monotonic() - started < 5
        reader.assign({f"{topic}/0": 200})
        assert read_to(reader, {f"{topic}/0": 200}, {f"{topic}/0": 300})[f"{topic}/0"].values == [b"part-2"] * 100


def test_the_broker_goes_away_and_comes_back(own_kafka_broker: DevBroker, caplog: pytest.LogCaptureFixture) -> None:
    topic = topic_maker(own_kafka_broker)()
    produce(own_kafka_broker.servers, topic, [b"before"])
    with reading(source(own_kafka_broker.servers, topic), {f"{topic}/0": 0}) as reader:
        assert read_to(reader, {f"{topic}/0": 0}, {f"{topic}/0": 1})
        own_kafka_broker.kill()
        away_until = time.monotonic() + 3
        while time.monotonic() < away_until:
            started = time.monotonic()
            assert reader.poll(0.3, 1000) == []
            assert time.monotonic() - started < 1
        own_kafka_broker.start()
        produce(own_kafka_broker.servers, topic, [b"after"])
        assert read_to(reader, {f"{topic}/0": 1}, {f"{topic}/0": 2})[f"{topic}/0"].values == [b"after"]
        assert reader.reconnects == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, warnings
    assert own_kafka_broker.servers in warnings[0]


def test_a_broker_that_hangs_and_wakes(paused_kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic()
    produce(paused_kafka_broker.servers, topic, [b"before"])
    with reading(source(paused_kafka_broker.servers, topic), {f"{topic}/0": 0}) as reader:
        assert read_to(reader, {f"{topic}/0": 0}, {f"{topic}/0": 1})
        paused_kafka_broker.pause()
        for _ in range(4):
            started = time.monotonic()
            assert reader.poll(0.5, 1000) == []
            assert time.monotonic() - started < 1.5
        paused_kafka_broker.resume()
        produce(paused_kafka_broker.servers, topic, [b"after"])
        assert read_to(reader, {f"{topic}/0": 1}, {f"{topic}/0": 2})[f"{topic}/0"].values == [b"after"]


def deafen(reader: KafkaReader) -> None:
    """Make the consumer of the moment one that asks for nothing any more, as stalled ones do."""
    if (consumer := reader._connection._consumer) is not None:  # noqa: SLF001 - there is no public way to stall one
        consumer._fetcher.send_fetches = list  # noqa: SLF001 - the same


def test_a_silent_consumer_is_replaced(
    kafka_broker: DevBroker, kafka_topic: MakeTopic, caplog: pytest.LogCaptureFixture
) -> None:
    topic = kafka_topic()
    produce(kafka_broker.servers, topic, [b"a"])
    whole = source(kafka_broker.servers, topic)
    with reading(whole, {f"{topic}/0": 0}, stall_seconds=0.5) as reader:
        assert read_to(reader, {f"{topic}/0": 0}, {f"{topic}/0": 1})
        for _ in range(12):
            assert reader.poll(0.1, 1000) == []
        assert reader.reconnects == 0, "nothing was waiting"
        deafen(reader)
        for _ in range(8):  # the request that was under way when it went deaf still has its answer
            reader.poll(0.1, 1000)
        produce(kafka_broker.servers, topic, [b"b"])
        assert read_to(reader, {f"{topic}/0": 1}, {f"{topic}/0": 2})[f"{topic}/0"].values == [b"b"]
        assert reader.reconnects == 1
    assert f"records are waiting: {topic}/0 (position 1, log end 2)" in caplog.text


def test_a_silence_that_fresh_connections_do_not_end(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic()
    produce(kafka_broker.servers, topic, [b"a"])
    with reading(source(kafka_broker.servers, topic), {f"{topic}/0": 0}, stall_seconds=0.1) as reader:
        with pytest.raises(KafkaStalledError, match=rf"{topic}/0 \(position 0, log end 1\).*fresh connections"):
            poll_until_error(reader, deafen)
        assert reader.reconnects == 5


def test_assigning_without_a_broker_says_so_in_time() -> None:
    nowhere = source(f"127.0.0.1:{free_port()}", "topic", request_timeout_seconds=1)
    reader = KafkaReader(nowhere, None, CLOCK)
    started = time.monotonic()
    with pytest.raises(KafkaUnavailableError, match=nowhere.servers):
        reader.assign({"topic/0": 0})
    assert time.monotonic() - started < 10
    reader.close()


def test_what_a_slow_worker_holds_stays_within_fetch_bytes(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic, bound = kafka_topic(partitions=4), 12 << 20
    value = os.urandom(500)
    for _ in range(4):
        fill(kafka_broker.servers, topic, value, 40_000)
    ends = dict.fromkeys((f"{topic}/{n}" for n in range(4)), 40_000)
    with reading(source(kafka_broker.servers, topic, fetch_bytes=bound), dict.fromkeys(ends, 0)) as reader:
        reader.poll(5, 1)
        before, held, seen = resident_bytes(), 0, 0
        while seen < 120_000:
            seen += sum(len(piece.values) for piece in reader.poll(5, 200_000))
            held = max(held, reader.buffered_bytes())
            if seen % 7 == 0:
                time.sleep(0.02)
        grown = resident_bytes() - before
    assert 1 << 20 < held < bound
    assert grown < 2 * bound, f"{grown} bytes more than at the start"


def fill(servers: str, topic: str, value: bytes, records: int) -> None:
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    for n in range(records):
        producer.produce(topic, value, partition=n % 4)
    assert producer.flush(60) == 0


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
