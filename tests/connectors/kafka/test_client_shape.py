"""The private parts of kafka-python that the connector leans on. A version that changes them fails here, by name."""

# ruff: noqa: SLF001 - the private parts are what this is about

import inspect

import kafka
from kafka.cluster import ClusterMetadata
from kafka.consumer import fetcher
from kafka.consumer.group import KafkaConsumer
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from kafka.protocol.parser import KafkaProtocol
from kafka.record.memory_records import MemoryRecords

from tests.support.kafka_cluster import produce, reading, source
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import MakeTopic


def source_of(thing: object) -> str:
    return inspect.getsource(thing)  # type: ignore[arg-type]


def test_the_version_is_the_one_that_was_read() -> None:
    assert kafka.__version__.startswith("3.0.")


def test_the_fetcher_looks_its_record_class_up_on_itself() -> None:
    made = source_of(fetcher.Fetcher._parse_fetched_data)
    assert "self.PartitionRecords(fetch_offset, tp, records," in made
    assert "aborted_transactions=aborted_transactions" in made
    assert "on_drain=self._on_partition_records_drain" in made
    parameters = list(inspect.signature(fetcher.Fetcher.PartitionRecords.__init__).parameters)
    assert parameters[1:4] == ["fetch_offset", "tp", "records"]
    assert MemoryRecords(b"raw")._buffer == b"raw"


def test_the_fetcher_uses_of_a_record_class_only_what_ours_has() -> None:
    taken = source_of(fetcher.Fetcher._append) + source_of(fetcher.Fetcher._on_partition_records_drain)
    taken += source_of(fetcher.Fetcher.fetched_records) + source_of(fetcher.Fetcher.close)
    for name in ("part.take(max_records)", "part.next_fetch_offset", "part.leader_epoch", "part.drain()", "bytes_read"):
        assert name in taken


def test_the_fetcher_asks_anew_only_when_nothing_waits() -> None:
    assert "if not partial:" in source_of(fetcher.Fetcher.fetch_records)
    assert "bool(self._completed_fetches)" in source_of(fetcher.Fetcher.fetched_records)
    requests = source_of(fetcher.Fetcher._create_fetch_requests)
    assert "self.config['fetch_max_bytes']" in requests
    assert "self.config['max_partition_fetch_bytes']" in requests
    assert "node_id in self._nodes_with_pending_fetch_requests" in requests


def test_an_unknown_reset_policy_is_none() -> None:
    assert fetcher.IsolationLevel.build_from("read_committed") == 1
    state = kafka.consumer.subscription_state.SubscriptionState("none")
    assert not state.has_default_offset_reset_policy()


def test_network_parts() -> None:
    assert "transport = await self._build_transport" in source_of(KafkaConnectionManager._connect)
    for transport in (KafkaTCPTransport, KafkaSSLTransport):
        assert "return recvd_data, err" in source_of(transport._sock_recv)
    assert list(inspect.signature(KafkaConnectionManager._connect).parameters)[:3] == ["self", "node", "conn"]
    assert "self._auth_failures.get(node_id)" in source_of(KafkaConnectionManager.maybe_raise_auth_failure)
    assert {"net", "manager"} <= set(inspect.signature(KafkaNetClient.__init__).parameters)
    assert "self._rbuffer = KafkaBytes(nbytes)" in source_of(KafkaProtocol.receive_bytes)
    assert callable(ClusterMetadata.brokers)
    assert "kafka_client" in KafkaConsumer.DEFAULT_CONFIG


def test_the_parts_of_a_living_consumer(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> None:
    topic = kafka_topic()
    produce(kafka_broker.servers, topic, [b"x"] * 10)
    with reading(source(kafka_broker.servers, topic, fetch_bytes=3 << 20), {f"{topic}/0": 0}) as reader:
        assert reader.poll(5, 1)
        consumer = reader._connection._consumer
        assert consumer is not None
        client = consumer._consumer
        assert isinstance(client._fetcher, fetcher.Fetcher)
        assert client._fetcher.config["fetch_max_bytes"] == 1 << 20
        assert [connection.connected for connection in client._client._manager._conns.values()] == [True]
        assert all(hasattr(connection.parser, "_rbuffer") for connection in client._client._manager._conns.values())
        assert client._cluster.brokers()
        for name in ("_completed_fetches", "_paused_completed_fetches", "_paused_partition_records"):
            assert len(getattr(client._fetcher, name)) == 0
