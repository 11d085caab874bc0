"""Systemic rejects stop a stream: what tripped is not committed, and restarting needs a change."""

from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable
from kafka import KafkaProducer

from tests.support.shop import order
from trivium.config.compile import compile_file
from trivium.core.clock import SystemClock
from trivium.core.errors import RunError
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.devtools.broker.broker import DevBroker
from trivium.devtools.scaffold import new_project
from trivium.engine.breaker import SystemicRejects
from trivium.operations.status import status_of
from trivium.runtimes.streaming.report import StreamReport
from trivium.runtimes.streaming.run import StreamArguments, run_streaming
from trivium.testing.kafka import MakeTopic

STRICT = "{ratio: 0.5, window_events: 20}"


@pytest.fixture
def send(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> Callable[[list[float]], str]:
    """Orders of these amounts into one topic of one partition; a negative amount is a reject."""
    topic = kafka_topic()

    def sent(amounts: list[float]) -> str:
        producer = KafkaProducer(bootstrap_servers=kafka_broker.servers)
        for number, amount in enumerate(amounts):
            producer.send(topic, value=order(f"{topic}-{number}", "2026-01-01T10:00:00Z", amount))
        producer.flush()
        producer.close()
        return topic

    return sent


def test_a_stream_stops_on_systemic_rejects_and_starts_again_after_a_change(
    tmp_path: Path, kafka_broker: DevBroker, send: Callable[[list[float]], str], ray_cluster: str
) -> None:
    config = configured(tmp_path, kafka_broker, send([1.0] * 10))
    assert run(config).total.emitted_rows == 10
    topic = send([-1.0] * 30)

    with pytest.raises(SystemicRejects, match=rf"{topic}/0.*10.*breaker: off"):
        run(config)
    pipeline = compile_file(config, runtime="streaming")
    table = pipeline.config.table.path
    assert DeltaTable(table).transaction_version(f"shop/{topic}/0") == 10
    assert dead_letters.read(pipeline.config.dead_letters.path, table).num_rows == 0
    (stream,) = [each for each in status_of(pipeline, SystemClock()).runtimes if each.runtime == "streaming"]
    assert stream.stopped is not None
    assert "process" in stream.stopped

    with pytest.raises(RunError, match="neither the pipeline's logic nor its breaker changed"):
        run(config)
    config.write_text(config.read_text().replace(STRICT, "off"))
    report = run(config)
    assert (report.total.rejected, report.positions[f"{topic}/0"]) == (30, 40)


def configured(folder: Path, broker: DevBroker, topic: str) -> Path:
    new_project("shop", folder)
    config = folder / "shop" / "configs" / "shop.yaml"
    source = f'{{type: kafka, servers: "{broker.servers}", topics: [{topic}]}}'
    streaming = f"breaker: {STRICT}\nstreaming:\n  source: {source}\n  commit_interval_seconds: 0.5\n  workers: 1\n"
    config.write_text(f"{config.read_text()}\n{streaming}")
    return config


def run(config: Path) -> StreamReport:
    return run_streaming(compile_file(config, runtime="streaming"), StreamArguments(until_caught_up=True))
