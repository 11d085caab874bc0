"""The session's broker for tests that make it hang."""

from collections.abc import Iterator

import pytest

from trivium.devtools.broker.broker import DevBroker


@pytest.fixture
def paused_kafka_broker(kafka_broker: DevBroker) -> Iterator[DevBroker]:
    """The session's broker, which the test may pause: it goes on afterwards, whatever became of the test."""
    yield kafka_broker
    kafka_broker.resume()
