"""A worker that finds its position outside of the log: the topic may be another one by now, which is then said."""

from types import SimpleNamespace
from typing import Any

import pytest

from trivium.connectors.kafka.errors import KafkaPositionError
from trivium.delivery.errors import TopicChanged
from trivium.runtimes.streaming.run import _Stream


def stream(*, changed: bool, reachable: bool = True) -> Any:
    """As much of a stream as looks at its topics."""

    def check_topics() -> None:
        if changed:
            raise TopicChanged("another topic of this name")

    monitor = SimpleNamespace(confirm=lambda _: reachable)
    return SimpleNamespace(_monitor=monitor, _check_topics=check_topics)


def lost(*, answered: bool) -> None:
    raise KafkaPositionError("a broker without the newest records became leader")


@pytest.mark.parametrize(
    ("changed", "reachable", "told"),
    [(True, True, TopicChanged), (False, True, KafkaPositionError), (True, False, KafkaPositionError)],
)
def test_a_topic_made_anew_is_told_as_that(changed: bool, reachable: bool, told: type[Exception]) -> None:
    lane: Any = SimpleNamespace(collect=lost)
    with pytest.raises(told):
        _Stream._result(stream(changed=changed, reachable=reachable), lane, answered=True)  # noqa: SLF001
