"""TLS and SASL against a real broker that speaks them: right and wrong credentials, right and wrong authorities."""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.kafka_cluster import CLOCK, log_of, produce, read_to, source
from trivium.config.model.streaming import KafkaSource
from trivium.connectors.kafka.errors import KafkaAccessError, KafkaUnavailableError
from trivium.connectors.kafka.reader import KafkaReader
from trivium.connectors.kafka.security import security_options
from trivium.core.network import free_port
from trivium.devtools.broker.broker import DevBroker

HOST, USER, PASSWORD = "127.0.0.1", "alice", "correct horse"
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class SecureBroker:
    """A broker whose listener `ssl` asks for a client's certificate and `sasl` for a password."""

    ssl: str
    sasl: str
    ca_file: Path
    other_ca_file: Path
    certificate_file: Path
    key_file: Path

    def source(self, servers: str, **security: Any) -> KafkaSource:
        section = {"ca_file": str(self.ca_file)} | security
        return source(servers, "secure", security=section, request_timeout_seconds=8)

    def refusing(self, servers: str, **security: Any) -> KafkaSource:
        """Return a source that does not come to terms with the listener, and whose time-out is waited for."""
        return self.source(servers, **security).model_copy(update={"request_timeout_seconds": 2.0})


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    folder = tmp_path_factory.mktemp("secure")
    authority, other = Authority(folder, "right"), Authority(folder, "wrong")
    ssl, sasl = free_port(), free_port()
    keystore = authority.issue("broker", HOST)[2]
    running = DevBroker(folder / "kafka", settings=listeners(ssl, sasl, keystore, authority.ca_file))
    try:
        running.start()
        with running.admin() as admin:
            admin.create_topics({"secure": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
            for mechanism in MECHANISMS[1:]:
                admin.alter_user_scram_credentials([scram_user(mechanism)])
        produce(running.servers, "secure", [b"one", b"two"])
        certificate, key, _ = authority.issue("client")
        yield SecureBroker(f"{HOST}:{ssl}", f"{HOST}:{sasl}", authority.ca_file, other.ca_file, certificate, key)
    finally:
        running.kill()


def scram_user(mechanism: str) -> Any:
    from kafka.admin import UserScramCredentialUpsertion  # noqa: PLC0415 - its name differs between versions

    return UserScramCredentialUpsertion(USER, mechanism, PASSWORD)


def listeners(ssl: int, sasl: int, keystore: Path, truststore: Path) -> Mapping[str, str]:
    all_listeners = f"PLAINTEXT://{HOST}:$port,SSL://{HOST}:{ssl},SASL_SSL://{HOST}:{sasl}"
    login = "org.apache.kafka.common.security"
    scram = f"{login}.scram.ScramLoginModule required;"
    return {
        "listeners": f"{all_listeners},CONTROLLER://{HOST}:$controller_port",
        "advertised.listeners": all_listeners,
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(truststore),
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "listener.name.sasl_ssl.plain.sasl.jaas.config": (
            f'{login}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
    }


def read_both(source: KafkaSource, password: str | None) -> list[bytes | None]:
    with log_of(source, password) as log:
        ends = log.end(log.partitions())
    reader = KafkaReader(source, password, CLOCK)
    try:
        reader.assign({"secure/0": 0})
        return read_to(reader, {"secure/0": 0}, ends)["secure/0"].values
    finally:
        reader.close()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_right_and_wrong_password(broker: SecureBroker, mechanism: str) -> None:
    secured = broker.source(broker.sasl, protocol="SASL_SSL", mechanism=mechanism, username=USER, password=PASSWORD)
    assert read_both(secured, PASSWORD) == [b"one", b"two"]
    reader = KafkaReader(secured, "wrong", CLOCK)
    started = time.monotonic()
    with pytest.raises(
        KafkaAccessError, match=rf"{broker.sasl} refused the user of security.username \({mechanism}\)"
    ) as caught:
        reader.assign({"secure/0": 0})
    assert time.monotonic() - started < 10
    assert PASSWORD not in str(caught.value)
    with pytest.raises(KafkaAccessError), log_of(secured, "wrong") as log:
        log.partitions()


def test_a_clients_certificate(broker: SecureBroker) -> None:
    files = {"certificate_file": str(broker.certificate_file), "key_file": broker.key_file.as_uri()}
    assert read_both(broker.source(broker.ssl, protocol="SSL", **files), None) == [b"one", b"two"]


@pytest.mark.parametrize("ca_file", ["other_ca_file", None])
def test_an_authority_that_is_not_trusted(broker: SecureBroker, ca_file: str | None) -> None:
    security = {"ca_file": None if ca_file is None else str(getattr(broker, ca_file))}
    untrusted = broker.refusing(broker.ssl, protocol="SSL", **security)
    with pytest.raises(KafkaUnavailableError, match=r"certificate is not accepted .* security.ca_file"):
        KafkaReader(untrusted, None, CLOCK).assign({"secure/0": 0})


def test_plaintext_to_a_secure_listener(broker: SecureBroker) -> None:
    plain = broker.refusing(broker.sasl, protocol="PLAINTEXT")
    with pytest.raises(KafkaUnavailableError, match="is it a Kafka PLAINTEXT listener"):
        KafkaReader(plain, None, CLOCK).assign({"secure/0": 0})


@pytest.mark.parametrize(
    ("servers", "protocol", "warned"),
    [
        ("127.0.0.1:9092,localhost:9093,[::1]:9094", "PLAINTEXT", None),
        ("kafka-1.example:9092,127.0.0.1:9092", "PLAINTEXT", "kafka-1.example:9092 is not this machine"),
        ("kafka-2.example:9092", "SASL_PLAINTEXT", "Records and the password"),
        ("kafka-3.example:9092", "SSL", None),
    ],
)
def test_plaintext_beyond_this_machine_is_warned_of_once(
    servers: str, protocol: str, warned: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    security = {"protocol": protocol}
    if protocol.startswith("SASL"):
        security |= {"mechanism": "PLAIN", "username": USER, "password": PASSWORD}
    for _ in range(2):
        security_options(source(servers, "topic", security=security), PASSWORD)
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(messages) == (warned is not None)
    assert all(warned is not None and warned in message for message in messages)
