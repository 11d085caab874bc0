"""The clickstream example as readers run it: twelve types; its generator knows what becomes of each record."""

import json
from pathlib import Path

import pytest

from tests.support import clickstream
from tests.support.serving_services import RunningService
from tests.support.terminal import in_own_process, python
from trivium.devtools.broker.broker import DevBroker

CONFIG = clickstream.CONFIG


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its data."""
    return clickstream.make(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def batched(project: Path, ray_cluster: str) -> str:
    """What a batch run over all days printed."""
    done = in_own_process("run", "batch", CONFIG, folder=project, RAY_ADDRESS=ray_cluster)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_samples_and_executors_pass_the_check(project: Path) -> None:
    done = in_own_process("check", CONFIG, folder=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") == 13


def test_its_own_tests_pass(project: Path) -> None:
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=project)
    assert done.returncode == 0, done.stdout


def test_the_generator_makes_every_outcome_and_the_same_again(project: Path, tmp_path: Path) -> None:
    counts, rows = clickstream.expected(project)
    assert len(rows) == 12
    assert all(read == emitted + dropped + rejected for read, emitted, dropped, rejected, _ in counts.values())
    assert {kind for kind, figures in counts.items() if figures[1] and (figures[2] or figures[3])} == set(rows)
    again = clickstream.make(tmp_path)
    assert clickstream.records(again) == clickstream.records(project)
    assert clickstream.expected(again) == (counts, rows)


def test_batch_counts_what_the_generator_knows(project: Path, batched: str) -> None:
    counts, rows = clickstream.expected(project)
    assert clickstream.printed_counts(batched) == counts
    found = clickstream.rows_by_type(project / "tables" / "clickstream")
    assert {kind: table.num_rows for kind, table in found.items()} == rows


def test_a_stream_makes_the_rows_of_batch(
    project: Path, batched: str, kafka_broker: DevBroker, ray_cluster: str
) -> None:
    topic, tables = "clickstream-example", project / "streamed"
    done = python("-m", "generator.produce", kafka_broker.servers, "--topic", topic, folder=project)
    assert done.returncode == 0, done.stderr
    environ = {"KAFKA": kafka_broker.servers, "TOPIC": topic, "TABLES": str(tables), "RAY_ADDRESS": ray_cluster}
    done = in_own_process("run", "streaming", CONFIG, "--until-caught-up", folder=project, **environ)
    assert done.returncode == 0, done.stderr
    counts, _ = clickstream.expected(project)
    assert clickstream.printed_counts(done.stdout) == counts
    assert clickstream.rows_by_type(tables / "clickstream") == clickstream.rows_by_type(
        project / "tables" / "clickstream"
    )


def test_a_service_answers_every_record_as_batch_counts_it(project: Path) -> None:
    counts, _ = clickstream.expected(project)
    lines = [line for line in clickstream.records(project) if _is_json(line)]
    values, answers = [json.loads(line) for line in lines], []
    with RunningService(project / CONFIG) as service:
        for start in range(0, len(lines), 400):
            answer = service.post(b"[" + b",".join(lines[start : start + 400]) + b"]")
            assert answer.status == 200, answer.body
            answers += answer.json()["events"]
    found = clickstream.answered_counts(values, answers)
    assert found.pop("")[3] == found.pop("wish")[2] == counts.pop("_unrouted")[2]
    assert found == {kind: figures for kind, figures in counts.items() if kind != "_undecoded"}


def test_the_runtimes_decode_and_work_alike(project: Path) -> None:
    done = in_own_process("parity", CONFIG, "--fast", "--sample", "all", folder=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Parity holds" in done.stdout


@pytest.mark.faults
def test_the_real_runtimes_agree(project: Path, ray_cluster: str) -> None:
    done = in_own_process("parity", CONFIG, folder=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Parity holds" in done.stdout


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
