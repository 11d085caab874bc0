"""pytest fixtures: a real Apache Kafka on the loopback interface, and topics in it.

`kafka_broker` is started when the first test of a session asks for it and ends with the session; tests that break a
broker take `own_kafka_broker`. Both need the extra `broker`.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from trivium.devtools.broker.broker import DevBroker


class MakeTopic(Protocol):
    """Makes a topic of a name used once, and says its name.

    `config` is the topic's configuration, with `_` for `.`: `cleanup_policy="compact"`.
    """

    def __call__(self, partitions: int = 1, **config: object) -> str:
        """Make it; it is ready for use on return."""


def pytest_configure(config: pytest.Config) -> None:
    """Let Kafka's client be imported where warnings are errors: it calls a deprecated function of Python's."""
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevBroker]:
    """Yield the session's broker: `servers`, `pid`, `log_path`; a test that ends or pauses it brings it back."""
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def own_kafka_broker(tmp_path: Path) -> Iterator[DevBroker]:
    """Yield a broker of this test alone, which may `stop`, `kill`, `pause`, `resume` and `start` it."""
    with running_broker(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture
def kafka_topic(kafka_broker: DevBroker) -> MakeTopic:
    """Return `kafka_topic(partitions=1, **config) -> name`, in the session's broker."""
    return topic_maker(kafka_broker)


@contextmanager
def running_broker(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[DevBroker]:
    """Yield a broker in a folder of its own, with further properties of Kafka; its data is removed at the end."""
    broker = DevBroker(folder, settings=settings)
    try:
        broker.start()
        yield broker
    finally:
        # Nothing of it is needed any more, so nothing waits for its orderly end. The log stays.
        broker.kill()
        shutil.rmtree(broker.data_path, ignore_errors=True)


def topic_maker(broker: DevBroker) -> MakeTopic:
    """Return what `kafka_topic` is, for any broker."""

    def make(partitions: int = 1, **config: object) -> str:
        name = f"topic-{uuid.uuid4().hex[:12]}"
        configs = {key.replace("_", "."): str(value) for key, value in config.items()}
        topic = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
        with broker.admin() as admin:
            admin.create_topics({name: topic}, wait_for_metadata=True)
        return name

    return make
