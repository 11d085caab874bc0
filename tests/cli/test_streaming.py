"""A stream from the command line, and what looks at it: status, dead letters, read, metrics."""

import json
import re
import urllib.request
from pathlib import Path

import pytest
import ray
from kafka import KafkaProducer

from tests.support import shop
from tests.support.terminal import Trivium, in_own_process
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import topic_maker

CONFIG = "configs/shop.yaml"


@pytest.fixture(scope="module")
def topic(kafka_broker: DevBroker) -> str:
    """Two partitions of orders: five good ones, one dropped, one wrong, one that is no order."""
    name = topic_maker(kafka_broker)(2)
    producer = KafkaProducer(bootstrap_servers=kafka_broker.servers)
    for number in range(5):
        producer.send(name, value=shop.order(f"o{number}", "2026-01-01T10:00:00Z", 50.0), partition=number % 2)
    producer.send(name, value=shop.order("nothing", "2026-01-01T10:00:00Z", 0), partition=0)
    producer.send(name, value=shop.order("bad", "2026-01-01T10:00:00Z", -1), partition=1)
    producer.send(name, value=b'{"event_type": "visit"}', partition=1)
    producer.flush()
    producer.close()
    return name


@pytest.fixture(scope="module")
def streamed(
    tmp_path_factory: pytest.TempPathFactory, kafka_broker: DevBroker, topic: str, ray_cluster: str
) -> tuple[Path, str, str]:
    """A shop whose stream has caught up; what the run printed, and what it logged."""
    root = shop.make(tmp_path_factory.mktemp("streamed"))
    config = root / CONFIG
    source = f'{{type: kafka, servers: "{kafka_broker.servers}", topics: [{topic}]}}'
    owned = config.read_text().replace("type: order", "type: order, owner: sales")
    config.write_text(f"{owned}\nstreaming:\n  source: {source}\n  commit_interval_seconds: 0.5\n")
    done = in_own_process("run", "streaming", CONFIG, "--until-caught-up", folder=root, RAY_ADDRESS=ray_cluster)
    assert done.returncode == 0, done.stderr
    return root, done.stdout, done.stderr


@pytest.fixture
def project(streamed: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(streamed[0])
    return streamed[0]


def test_the_summary_shows_the_balance_and_the_positions(streamed: tuple[Path, str, str], topic: str) -> None:
    _, printed, _ = streamed
    lines = [line.split() for line in printed.splitlines()]
    assert ["order", "7", "5", "1", "1", "5"] in lines
    assert ["_unrouted", "1", "0", "1", "0", "0"] in lines
    assert ["all", "8", "5", "2", "1", "5"] in lines
    assert f"{topic}/0 4, {topic}/1 4" in printed
    assert "1 dead letter; see: trivium dead-letters list configs/shop.yaml" in printed


def test_its_logs_are_json_lines_with_plan_and_positions(streamed: tuple[Path, str, str], topic: str) -> None:
    lines = [json.loads(line) for line in streamed[2].splitlines() if line.startswith("{")]
    commits = [line for line in lines if line["message"].startswith("committed version")]
    assert {line["pipeline"] for line in lines} == {"shop"}
    assert {line["generation"] for line in commits} == {1}
    assert all(re.fullmatch("[0-9a-f]{16}", line["plan"]) for line in commits)
    last = {partition: at for line in commits for partition, at in line["positions"].items()}
    assert last == {f"{topic}/0": 4, f"{topic}/1": 4}


def test_status_says_where_it_stands(project: Path, trivium: Trivium, topic: str) -> None:
    done = trivium("status", CONFIG)
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["streaming", "order", "7", "5", "1", "1", "0", "5", "sales"] in lines
    assert [f"{topic}/0", "4", "4", "0"] in [line[:4] for line in lines]
    assert "batch         nothing committed yet" in done.stdout


def test_status_for_programs_has_the_lag(project: Path, trivium: Trivium, kafka_broker: DevBroker, topic: str) -> None:
    found = json.loads(trivium("status", CONFIG, "--format", "json").stdout)
    assert [(each["partition"], each["lag"]) for each in found["partitions"]] == [(f"{topic}/0", 0), (f"{topic}/1", 0)]
    assert found["dead_letters"] == 1
    assert found["kafka"] is None


def test_status_without_kafka_says_what_the_table_knows(project: Path, trivium: Trivium, topic: str) -> None:
    config = project / "configs" / "away.yaml"
    text = (project / CONFIG).read_text()
    servers = re.sub(r'servers: "[^"]*"', 'servers: "127.0.0.1:9", request_timeout_seconds: 1', text)
    config.write_text(servers)
    done = trivium("status", str(config))
    assert done.exit_code == 0, done.output
    assert [f"{topic}/0", "4", "?", "?"] in [line.split()[:4] for line in done.stdout.splitlines()]
    assert "the ends of the logs are not known: " in done.stdout
    assert "127.0.0.1:9" in done.stdout


def test_a_dead_letter_is_found_by_topic_partition_and_offset(project: Path, trivium: Trivium, topic: str) -> None:
    shown = json.loads(trivium("dead-letters", "show", CONFIG, f"{topic}/1:2", "--format", "json").stdout)
    assert json.loads(shown["value"])["order_id"] == "bad"
    assert (shown["runtime"], shown["stage"]) == ("streaming", "process")


def test_a_second_run_finds_nothing_new(project: Path, trivium: Trivium, ray_cluster: str) -> None:
    done = in_own_process("run", "streaming", CONFIG, "--until-caught-up", folder=project, RAY_ADDRESS=ray_cluster)
    assert done.returncode == 0, done.stderr
    assert ["all", "0", "0", "0", "0", "0"] in [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--from-offsets", "flights=3"), "expected TOPIC/PARTITION=OFFSET such as flights/0=120, got 'flights=3'"),
        (("--from-offsets", "a/0=3", "--from-offsets", "a/0=4"), "the partition a/0 is given twice"),
        (("--from-offsets", "a/0=3", "--from-time", "2026-01-01"), "expected --from-time or --from-offsets, got both"),
    ],
)
def test_wrong_beginnings_are_said_before_anything_starts(
    project: Path, trivium: Trivium, arguments: tuple[str, ...], complaint: str
) -> None:
    done = trivium("run", "streaming", CONFIG, *arguments)
    assert done.exit_code == 2
    assert complaint in done.stderr


def test_metrics_are_exported_by_the_clusters_agents(streamed: tuple[Path, str, str], ray_cluster: str) -> None:
    ports = [node["MetricsExportPort"] for node in ray.nodes() if node["Alive"]]
    text = "".join(
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode() for port in ports
    )
    counted = re.search(r'ray_trivium_rows_total\{[^}]*pipeline="shop"[^}]*\} 5\.0', text)
    assert counted, text[:2000]
    assert 'owner="sales"' in counted[0]
