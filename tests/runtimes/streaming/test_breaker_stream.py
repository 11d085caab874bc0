"""Systemic rejects stop a stream: what tripped is not committed, and restarting needs a change."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable
from kafka import KafkaProducer

from tests.support.own_executors import forget_executors, own_executors
from tests.support.shop import order
from trivium.config.compile import compile_file
from trivium.core.clock import SystemClock
from trivium.core.errors import RunError
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.devtools.broker.broker import DevBroker
from trivium.devtools.scaffold import new_project
from trivium.engine.breaker import SystemicRejects
from trivium.operations.replay.run import replay_parked
from trivium.operations.status import status_of
from trivium.runtimes.streaming.report import StreamReport
from trivium.runtimes.streaming.run import StreamArguments, run_streaming
from trivium.testing.kafka import MakeTopic

__all__ = ["own_executors"]
STRICT = "{ratio: 0.5, window_events: 20}"


Send = Callable[[list[bytes]], str]


@pytest.fixture
def send(kafka_broker: DevBroker, kafka_topic: MakeTopic) -> Send:
    """Send values to a new topic of one partition; return its name."""
    topic = kafka_topic()

    def sent(values: list[bytes]) -> str:
        producer = KafkaProducer(bootstrap_servers=kafka_broker.servers)
        for value in values:
            producer.send(topic, value=value)
        producer.flush()
        producer.close()
        return topic

    return sent


def orders(amounts: list[float], kind: str = "order") -> list[bytes]:
    """Orders of these amounts; a negative amount is a reject."""
    made = [order(f"{kind}-{number}", "2026-01-01T10:00:00Z", amount) for number, amount in enumerate(amounts)]
    return [value.replace(b'"order"', f'"{kind}"'.encode()) for value in made]


def test_a_stream_stops_on_systemic_rejects_and_starts_again_after_a_change(
    tmp_path: Path, kafka_broker: DevBroker, send: Send, ray_cluster: str
) -> None:
    config = configured(tmp_path, kafka_broker, send(orders([1.0] * 10)))
    assert run(config).total.emitted_rows == 10
    topic = send(orders([-1.0] * 30))

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


def test_a_wholly_broken_type_stops_a_stream_that_is_mostly_of_another(
    tmp_path: Path, kafka_broker: DevBroker, send: Send, ray_cluster: str
) -> None:
    """Three of four inputs are good orders, each refund is bad; a quarter of all is below the ratio."""
    parts = zip(orders([1.0] * 90), orders([-1.0] * 30, "refund") * 3, strict=True)
    values = [value for number, (good, bad) in enumerate(parts) for value in ([good] if number % 3 else [good, bad])]
    config = with_refunds(configured(tmp_path, kafka_broker, send(values)))
    with pytest.raises(SystemicRejects, match=r"\(100%\) of one event type .* event type refund, stage process"):
        run(config)
    config.write_text(config.read_text().replace(STRICT, "off"))
    report = run(config)
    assert (report.counts["refund"].rejected, report.counts["order"].emitted_rows) == (30, 90)


def test_a_broken_type_is_parked_and_processed_once_it_is_mended(
    tmp_path: Path, kafka_broker: DevBroker, send: Send, ray_cluster: str
) -> None:
    """The epoch that trips is made again: not one refund of it is rejected, and every order is a row."""
    values = [value for pair in zip(orders([1.0] * 40), orders([2.0] * 40, "refund"), strict=True) for value in pair]
    topic = send(values)
    config = with_refunds(configured(tmp_path, kafka_broker, topic, parking=True))
    code = config.parents[1] / "executors" / "refund" / "executor.py"
    mended = code.read_text()
    code.write_text(mended.replace("if event.amount < 0:", "if event.amount > 0:"))
    report = run(config)
    assert (report.counts["refund"].read, report.counts["refund"].parked, report.total.rejected) == (40, 40, 0)
    assert (report.counts["order"].emitted_rows, report.dead_letters) == (40, 0)
    pipeline = compile_file(config, runtime="streaming")
    (stream,) = [each for each in status_of(pipeline, SystemClock()).runtimes if each.runtime == "streaming"]
    assert stream.stopped is None
    table, letters = pipeline.config.table.path, pipeline.config.dead_letters.path
    kept = dead_letters.read(letters, table)
    assert kept["stage"].to_pylist() == ["parked"] * 40
    assert "stage process, reason RejectError" in kept["error"][0].as_py()

    send(orders([3.0] * 5, "refund"))
    again = run(config)
    assert (again.counts["refund"].parked, again.total.read) == (5, 5), "a start forgot what is parked"

    code.write_text(mended)
    forget_executors()
    send(orders([4.0] * 7, "refund"))
    assert run(config).counts["refund"].emitted_inputs == 7
    assert dead_letters.count(letters, table).parked == {"refund": 45}
    assert replay_parked(compile_file(config, runtime=None), "refund", SystemClock()).counts.emitted_inputs == 45
    assert dead_letters.read(letters, table).num_rows == 0
    rows = DeltaTable(table).to_pyarrow_table()
    assert sorted(rows["_position"].to_pylist()) == list(range(92))
    assert set(rows["_source"].to_pylist()) == {f"{topic}/0"}


def with_refunds(config: Path) -> Path:
    """Declare a second type, `refund`, with the code of `order`."""
    folder = config.parents[1] / "executors"
    shutil.copytree(folder / "order", folder / "refund")
    code = folder / "refund" / "executor.py"
    code.write_text(code.read_text().replace('"order"', '"refund"'))
    config.write_text(config.read_text().replace("\nrouting:", "  - {type: refund}\n\nrouting:"))
    return config


def configured(folder: Path, broker: DevBroker, topic: str, *, parking: bool = False) -> Path:
    new_project("shop", folder)
    config = folder / "shop" / "configs" / "shop.yaml"
    source = f'{{type: kafka, servers: "{broker.servers}", topics: [{topic}]}}'
    breaker = f"{STRICT[:-1]}, then: park}}" if parking else STRICT
    streaming = f"breaker: {breaker}\nstreaming:\n  source: {source}\n  commit_interval_seconds: 0.5\n  workers: 1\n"
    config.write_text(f"{config.read_text()}\n{streaming}")
    return config


def run(config: Path) -> StreamReport:
    return run_streaming(compile_file(config, runtime="streaming"), StreamArguments(until_caught_up=True))
