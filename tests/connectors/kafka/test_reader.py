"""Records in a real broker arrive intact, whoever produced them and wherever reading starts."""

import subprocess
import time

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer, TopicPartition

from tests.support.kafka_cluster import log_of, poll_until_error, produce, read_all, read_to, reading, source
from trivium.connectors.kafka.errors import KafkaPositionError
from trivium.devtools.broker.broker import DevBroker
from trivium.devtools.broker.java import KAFKA, LOGGING, java_command
from trivium.testing.kafka import MakeTopic

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
TOOLS = KAFKA.replace("kafka_2.13", "kafka-tools")
VALUES = [b"v%d-" % n + b"x" * (n % 200) for n in range(2000)]


@pytest.mark.parametrize("codec", CODECS)
def test_kafka_python_producer(kafka_broker: DevBroker, kafka_topic: MakeTopic, codec: str) -> None:
    topic = kafka_topic(retention_ms=-1)
    compression = None if codec == "none" else codec
    with KafkaProducer(bootstrap_servers=kafka_broker.servers, compression_type=compression, linger_ms=20) as producer:
        for n, value in enumerate(VALUES):
            headers = [("route", b"%d" % (n % 3)), ("other", b"x")] if n % 2 else []
            producer.send(topic, None if n % 50 == 7 else value, key=b"k", headers=headers, timestamp_ms=5000 + n)
    piece = read_all(source(kafka_broker.servers, topic), "route")
    assert piece.values == [None if n % 50 == 7 else value for n, value in enumerate(VALUES)]
    assert piece.headers == [b"%d" % (n % 3) if n % 2 else None for n in range(len(VALUES))]
    assert piece.timestamps.tolist() == list(range(5000, 5000 + len(VALUES)))
    assert piece.offsets.tolist() == list(range(len(VALUES)))
    assert piece.holes == 0


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("idempotent", [False, True])
def test_librdkafka_producer(kafka_broker: DevBroker, kafka_topic: MakeTopic, codec: str, idempotent: bool) -> None:
    topic = kafka_topic()
    config = {"compression.type": codec, "enable.idempotence": idempotent}
    produce(kafka_broker.servers, topic, list(VALUES), **config)
    assert read_all(source(kafka_broker.servers, topic)).values == VALUES


@pytest.mark.parametrize("codec", CODECS)
def test_console_producer_of_kafka(kafka_broker: DevBroker, kafka_topic: MakeTopic, codec: str) -> None:
    topic = kafka_topic()
    command = java_command("org.apache.kafka.tools.ConsoleProducer", packages=[TOOLS, LOGGING])
    arguments = ["--bootstrap-server", kafka_broker.servers, "--topic", topic, "--compression-codec", codec]
    lines = b"".join(value + b"\n" for value in VALUES)
    subprocess.run([*command, *arguments], input=lines, check=True, capture_output=True, timeout=60)
    assert read_all(source(kafka_broker.servers, topic)).values == VALUES


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
def test_transactions_interleaved(kafka_broker: DevBroker, kafka_topic: MakeTopic, codec: str, isolation: str) -> None:
    topic = kafka_topic()
    producers = [
        Producer(
            {"bootstrap.servers": kafka_broker.servers, "transactional.id": f"{topic}-{n}", "compression.type": codec}
        )
        for n in range(2)
    ]
    committed, everything = list[bytes](), list[bytes]()
    for producer in producers:
        producer.init_transactions(30)
    for turn in range(6):
        for producer in producers:
            producer.begin_transaction()
        for part in range(2):
            for index, producer in enumerate(producers):
                value = b"%d-%d-%d" % (turn, part, index)
                producer.produce(topic, value, partition=0)
                assert producer.flush(30) == 0
                everything.append(value)
                if (turn + index) % 3:
                    committed.append(value)
        for index, producer in enumerate(producers):
            producer.commit_transaction(30) if (turn + index) % 3 else producer.abort_transaction(30)
    # The last markers are written a little after the producers are told: read to where they end.
    end = {f"{topic}/0": len(everything) + 12}
    with reading(source(kafka_broker.servers, topic, isolation=isolation), {f"{topic}/0": 0}) as reader:
        piece = read_to(reader, {f"{topic}/0": 0}, end)[f"{topic}/0"]
    assert piece.values == (committed if isolation == "read_committed" else everything)
    assert piece.holes == 12 + (len(everything) - len(committed) if isolation == "read_committed" else 0)


def test_an_open_transaction_holds_back_what_is_behind_it(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic()
    open_one = Producer({"bootstrap.servers": kafka_broker.servers, "transactional.id": topic})
    open_one.init_transactions(30)
    produce(kafka_broker.servers, topic, [b"before"])
    open_one.begin_transaction()
    open_one.produce(topic, b"open", partition=0)
    open_one.flush(30)
    produce(kafka_broker.servers, topic, [b"behind"])
    committed = source(kafka_broker.servers, topic)
    with log_of(committed) as log, reading(committed, {f"{topic}/0": 0}) as reader:
        assert log.end([f"{topic}/0"]) == {f"{topic}/0": 1}
        assert [piece.values for piece in reader.poll(5, 1 << 20)] == [[b"before"]]
        assert reader.poll(1, 1 << 20) == []
        open_one.commit_transaction(30)
        found = read_to(reader, {f"{topic}/0": 1}, {f"{topic}/0": 4})[f"{topic}/0"]
        assert (found.values, found.next, found.holes) == ([b"open", b"behind"], 4, 1)


def test_a_compacted_topic(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic(
        cleanup_policy="compact", segment_ms=100, min_cleanable_dirty_ratio="0.01", max_compaction_lag_ms=200
    )
    with KafkaProducer(bootstrap_servers=kafka_broker.servers, linger_ms=5) as producer:
        for n in range(400):
            producer.send(topic, b"%d" % n, key=b"%d" % (n % 7 if n < 300 else n))
            if n % 50 == 49:
                producer.flush()
                time.sleep(0.15)
    whole = source(kafka_broker.servers, topic)
    give_up = time.monotonic() + 60
    while (piece := read_all(whole)).holes == 0:
        assert time.monotonic() < give_up, "the broker did not compact the topic"
        time.sleep(1)
    assert piece.values == [b"%d" % n for n in piece.offsets.tolist()]
    assert (piece.start, piece.next, piece.holes) == (0, 400, 400 - len(piece.values))
    middle = read_all(whole, start=33)
    assert middle.offsets.tolist() == [n for n in piece.offsets.tolist() if n >= 33]
    assert (middle.start, middle.next) == (33, 400)


def test_the_brokers_time(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic(message_timestamp_type="LogAppendTime")
    before = time.time_ns() // 1_000_000
    with KafkaProducer(bootstrap_servers=kafka_broker.servers, compression_type="lz4", linger_ms=20) as producer:
        for n in range(10):
            producer.send(topic, b"x", timestamp_ms=n + 1)
    piece = read_all(source(kafka_broker.servers, topic))
    assert all(before - 1000 <= time <= before + 60_000 for time in piece.timestamps.tolist())


def test_a_batch_beyond_the_fetch_size_arrives(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic(max_message_bytes=9 << 20)
    large = [b"a", b"L" * (8 << 20), b"z", b"M" * (5 << 20)]
    config = {"message.max.bytes": 9 << 20, "linger.ms": 0}
    for value in large:
        produce(kafka_broker.servers, topic, [value], **config)
    small = source(kafka_broker.servers, topic, fetch_bytes=1 << 20, max_batch_bytes=16 << 20)
    assert read_all(small).values == large


def test_one_record_batches_and_byte_budgets(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic()
    values = [b"%04d" % n for n in range(3000)]
    config = {"batch.num.messages": 1, "linger.ms": 0}
    produce(kafka_broker.servers, topic, list(values), **config)
    with reading(source(kafka_broker.servers, topic), {f"{topic}/0": 0}) as reader:
        found, polls = list[bytes | None](), 0
        while len(found) < 3000:
            pieces = reader.poll(5, 1000)
            assert sum(piece.nbytes for piece in pieces) <= 1100
            found += [value for piece in pieces for value in piece.values]
            polls += 1
        assert found == values
        assert polls >= 10
        assert reader.poll(0.1, 1000) == []
        assert reader.buffered_bytes() == 0


def test_reading_starts_anywhere(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic()
    config = {"compression.type": "zstd"}
    produce(kafka_broker.servers, topic, list(VALUES), **config)
    whole = source(kafka_broker.servers, topic)
    with reading(whole, {}) as reader:
        assert reader.poll(0.05, 1000) == []
        for start in (1999, 0, 700, 700):
            reader.assign({f"{topic}/0": start})
            found = read_to(reader, {f"{topic}/0": start}, {f"{topic}/0": 2000}, max_bytes=5000)
            assert found[f"{topic}/0"].values == VALUES[start:]
        reader.assign({f"{topic}/0": 2000})
        assert reader.poll(0.3, 1000) == []
        produce(kafka_broker.servers, topic, [b"new"])
        assert reader.poll(5, 1000)[0].values == [b"new"]


def test_positions_outside_the_log_are_never_reset(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic()
    produce(kafka_broker.servers, topic, list(VALUES[:100]))
    with kafka_broker.admin() as admin:
        admin.delete_records({TopicPartition(topic, 0): 40})
    whole = source(kafka_broker.servers, topic)
    assert read_all(whole).offsets.tolist() == list(range(40, 100))
    with reading(whole, {}) as reader:
        for position in (39, 101):
            reader.assign({f"{topic}/0": position})
            message = f"{topic}/0: position {position} is outside the log, which holds offsets 40 to 100"
            for _ in range(2):
                with pytest.raises(KafkaPositionError, match=message):
                    poll_until_error(reader)
        reader.assign({f"{topic}/0": 99})
        assert reader.poll(5, 1000)[0].values == [VALUES[99]]


def test_several_partitions(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic(partitions=40)
    with KafkaProducer(bootstrap_servers=kafka_broker.servers, linger_ms=5) as producer:
        for n in range(4000):
            producer.send(topic, b"%d" % n, partition=n % 40)
    many = source(kafka_broker.servers, topic, fetch_bytes=1 << 16)
    with log_of(many) as log, reading(many, dict.fromkeys(log.partitions(), 0)) as reader:
        ends = log.end(log.partitions())
        assert sum(ends.values()) == 4000
        found = read_to(reader, dict.fromkeys(ends, 0), ends)
    assert sorted(int(value or b"") for piece in found.values() for value in piece.values) == list(range(4000))
