"""Before a stream's first record: positions are chosen, compared and owned, against a real broker and real tables."""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.connectors.kafka.cluster import KafkaLog
from trivium.core.clock import SystemClock
from trivium.core.errors import RunError
from trivium.delivery.errors import TopicChanged
from trivium.devtools.broker.broker import DevBroker
from trivium.devtools.scaffold import new_project
from trivium.runtimes.streaming.start import Beginning, FromOffsets, FromTime, Started, start_stream, streaming_section
from trivium.testing.kafka import MakeTopic

CLOCK = SystemClock()
Start = Callable[..., Started]


@pytest.fixture
def topic(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> str:
    """Two partitions: three records with timestamps 1000, 2000, 3000 ms in the first, one of 5000 ms in the second."""
    name = kafka_topic(partitions=2, retention_ms=-1)
    producer = KafkaProducer(bootstrap_servers=kafka_broker.servers)
    for partition, moments in ((0, (1000, 2000, 3000)), (1, (5000,))):
        for moment in moments:
            producer.send(name, value=b"{}", partition=partition, timestamp_ms=moment)
    producer.flush()
    producer.close()
    return name


@pytest.fixture
def pipeline(tmp_path: Path, kafka_broker: DevBroker, topic: str) -> Pipeline:
    """A new project's pipeline, made to stream the topic."""
    new_project("shop", tmp_path)
    config = tmp_path / "shop" / "configs" / "shop.yaml"
    source = f'{{type: kafka, servers: "{kafka_broker.servers}", topics: [{topic}]}}'
    config.write_text(f"{config.read_text()}\nstreaming:\n  source: {source}\n")
    return compile_file(config, runtime="streaming")


@pytest.fixture
def start(pipeline: Pipeline) -> Iterator[Start]:
    log = KafkaLog(streaming_section(pipeline).source, None, CLOCK)

    def started(beginning: Beginning | None = None) -> Started:
        return start_stream(pipeline, log, beginning, CLOCK)

    yield started
    log.close()


def at(topic: str, *offsets: int) -> Mapping[str, int]:
    return {f"{topic}/{number}": offset for number, offset in enumerate(offsets)}


def test_a_table_without_positions_starts_at_the_beginning_and_says_so(
    start: Start, topic: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        started = start()
    assert (started.generation, started.positions) == (1, at(topic, 0, 0))
    assert f"reading for the first time: {topic}/0 at 0, {topic}/1 at 0" in capsys.readouterr().err
    assert not caplog.records  # a first start is nothing to be warned of


def test_the_next_start_goes_on_under_the_next_generation(start: Start, topic: str) -> None:
    start(FromOffsets(at(topic, 2, 1)))
    started = start()
    assert (started.generation, started.positions, started.adopted) == (2, at(topic, 2, 1), {})


def test_a_first_start_may_be_at_a_time(start: Start, topic: str) -> None:
    assert start(FromTime(2_000_000)).positions == at(topic, 1, 0)


def test_a_time_after_the_last_record_is_the_end(start: Start, topic: str) -> None:
    assert start(FromTime(4_000_000)).positions == at(topic, 3, 0)


@pytest.mark.parametrize(("offsets", "complaint"), [((1,), "an offset for each"), ((9, 0), "the log ends at 3")])
def test_offsets_must_fit_the_topic(start: Start, topic: str, offsets: tuple[int, ...], complaint: str) -> None:
    with pytest.raises(RunError, match=complaint):
        start(FromOffsets(at(topic, *offsets)))


def test_positions_cannot_be_chosen_twice(start: Start, topic: str) -> None:
    start()
    with pytest.raises(RunError, match=rf"has positions already \({topic}/0 at 0, .*trivium reset-positions"):
        start(FromOffsets(at(topic, 1, 1)))


def test_retention_that_passed_the_position_stops_the_start(start: Start, topic: str, kafka_broker: DevBroker) -> None:
    start()
    with kafka_broker.admin() as admin:
        admin.delete_records({TopicPartition(topic, 0): 2})
    with pytest.raises(RunError, match=f"{topic}/0: the position is 0, the log starts at 2: 2 offsets are gone"):
        start()


def test_a_topic_made_anew_stops_the_start(start: Start, topic: str, kafka_broker: DevBroker) -> None:
    start()
    with kafka_broker.admin() as admin:
        remake(admin, topic)
    with pytest.raises(TopicChanged, match=f"topic {topic}: the table's positions are of another topic of this name"):
        start()


def remake(admin: KafkaAdminClient, topic: str) -> None:
    admin.delete_topics([topic])
    admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
