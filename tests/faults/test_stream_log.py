"""Logs that are not plain: transactions, compaction, new partitions, topics made anew, records that are gone."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from kafka import TopicPartition

from tests.support.processes import until
from tests.support.stream_project import StreamProject, kill
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import MakeTopic

pytestmark = pytest.mark.faults


def test_aborted_transactions_are_holes(project: StreamProject) -> None:
    """Committed and aborted transactions in turn, plain records between, one transaction open at the end."""
    producer = Producer({"bootstrap.servers": project.broker.servers, "transactional.id": project.topic})
    producer.init_transactions(30)
    aborted = 0
    for turn in range(8):
        project.produce(project.ticks(50, fickle=0.2))
        values = project.ticks(100, fickle=0.2)
        producer.begin_transaction()
        kept = project.send(producer, values)
        if turn % 2:
            producer.abort_transaction(30)
            aborted += len(values)
        else:
            producer.commit_transaction(30)
            project.count(kept)
    producer.begin_transaction()
    kept = project.send(producer, project.ticks(100, fickle=0.2))
    project.catch_up_well()
    assert project.audit().holes >= aborted

    producer.commit_transaction(30)
    project.count(kept)
    project.produce(project.ticks(50))
    project.catch_up_well()
    found = project.audit()
    markers = found.holes - aborted
    assert 9 <= markers <= 9 * 3, "a marker for each partition a transaction wrote to, and no other hole"
    assert found.produced + found.holes == sum(ends(project.broker, project.topic).values())


def test_a_compacted_topic(project: StreamProject, kafka_topic: MakeTopic) -> None:
    compacted = {"segment_ms": 100, "min_cleanable_dirty_ratio": "0.01", "max_compaction_lag_ms": 200}
    project.topic = kafka_topic(partitions=2, cleanup_policy="compact", **compacted)
    project.write_config()
    for _ in range(6):
        project.produce(project.ticks(100, fickle=0.2))
        time.sleep(0.2)
    project.produce(project.ticks(2))
    total = sum(ends(project.broker, project.topic).values())
    until(lambda: kept_records(project) < total, "the broker has compacted the topic", 60)
    driver = project.start()
    until(lambda: project.position() == total, "the stream has read everything")
    driver.send_signal(signal.SIGTERM)
    outcome = project.finish(driver)
    assert outcome.code == 0, outcome.said
    project.produced = {project.topic: outcome.report["read"]}
    found = project.audit()
    assert found.holes > 0
    assert found.produced + found.holes == total


def test_a_partition_added_while_the_stream_runs(project: StreamProject) -> None:
    driver = project.start()
    project.produce(project.ticks(500, fickle=0.2))
    project.wait_for_version(3, driver)
    with project.broker.admin() as admin:
        admin.create_partitions({project.topic: 5})
    until(lambda: len(ends(project.broker, project.topic)) == 5, "there are five partitions")
    time.sleep(1)
    project.produce(project.ticks(1_000, fickle=0.2))
    assert project.produced.get(f"{project.topic}/4"), "nothing went to the new partition"
    until(lambda: project.position() == sum(project.produced.values()), "the stream has read the new partitions too")
    driver.send_signal(signal.SIGTERM)
    assert project.finish(driver).code == 0
    project.audit()


def test_a_topic_made_anew_between_runs(project: StreamProject) -> None:
    project.produce(project.ticks(900, fickle=0.2))
    project.catch_up_well()
    make_anew(project)
    project.produce(project.ticks(1_200, fickle=0.2))
    outcome = project.catch_up()
    assert outcome.code == 1
    assert "TopicChanged" in outcome.said
    assert "trivium reset-positions" in outcome.said
    reset_positions(project)
    project.catch_up_well()
    project.audit()


def test_a_topic_made_anew_under_a_running_stream(project: StreamProject) -> None:
    """The new topic has more records than the old one, so the old positions lie within it: none of it may be taken."""
    driver = project.start()
    project.produce(project.ticks(300, fickle=0.2))
    until(lambda: project.position() == 300, "the stream has read everything")
    make_anew(project)
    project.produce(project.ticks(1_500, fickle=0.2))
    outcome = project.finish(driver)
    assert outcome.code == 1, outcome
    assert "reset-positions" in outcome.said, outcome.said
    assert project.position() == 300, "records of the new topic were committed under positions of the old one"
    reset_positions(project)
    project.catch_up_well()
    project.audit()


def test_retention_passed_the_position_between_runs(project: StreamProject) -> None:
    project.produce(project.ticks(600))
    project.catch_up_well()
    project.produce(project.ticks(600))
    gone = delete_some(project)
    outcome = project.catch_up()
    assert outcome.code == 1
    assert "offsets are gone" in outcome.said
    assert "trivium reset-positions" in outcome.said
    reset_positions(project, "--to-beginning")
    project.catch_up_well()
    project.produced["deleted"] = -gone
    project.audit()


def test_retention_passed_the_position_of_a_stopped_worker(project: StreamProject) -> None:
    """A driver killed long ago: its first epoch is asked for at offsets that are gone by then."""
    driver = project.start()
    project.produce(project.ticks(600))
    until(lambda: project.position() == 600, "the stream has read everything")
    kill(driver)
    project.produce(project.ticks(600))
    gone = delete_some(project)
    outcome = project.catch_up()
    assert outcome.code == 1
    assert "offsets are gone" in outcome.said
    reset_positions(project, "--to-beginning")
    project.catch_up_well()
    project.produced["deleted"] = -gone
    project.audit()


def ends(broker: DevBroker, topic: str) -> dict[int, int]:
    """The end of each partition of a topic."""
    return {number: end for found in broker.topics() if found.name == topic for number, end in enumerate(found.ends)}


def kept_records(project: StreamProject) -> int:
    """How many records a plain consumer still gets."""
    from kafka import KafkaConsumer  # noqa: PLC0415 - only here

    consumer = KafkaConsumer(
        project.topic,
        bootstrap_servers=project.broker.servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=1500,
        enable_auto_commit=False,
    )
    try:
        return sum(1 for _ in consumer)
    finally:
        consumer.close()


def make_anew(project: StreamProject) -> None:
    """Delete the topic and make another one of its name."""
    topic = {"num_partitions": 3, "replication_factor": 1}
    with project.broker.admin() as admin:
        admin.delete_topics([project.topic])
        until(lambda: project.topic not in {each.name for each in project.broker.topics()}, "the topic is gone")
        admin.create_topics({project.topic: topic}, wait_for_metadata=True)


def delete_some(project: StreamProject) -> int:
    """Delete records up to 50 offsets past each committed position; how many of them nobody has read."""
    at = project.positions()
    with project.broker.admin() as admin:
        admin.delete_records({TopicPartition(project.topic, n): each + 50 for n, each in at.items()})
    return 50 * len(at)


def reset_positions(project: StreamProject, *arguments: str) -> None:
    """`trivium reset-positions`, as an operator calls it."""
    command = [sys.executable, "-m", "trivium.cli.main", "reset-positions", str(project.config), "--yes", *arguments]
    answer = subprocess.run(command, text=True, capture_output=True, check=False, cwd=Path(project.root))
    assert answer.returncode == 0, answer.stdout + answer.stderr
