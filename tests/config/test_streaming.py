"""The streaming section compiled: what it decides, where its secret is, and routing by header or topic."""

import pickle
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.support.broken_executors import ENVIRON
from trivium.config.compile import Pipeline, RuntimeName, compile_file
from trivium.config.model.streaming import Breaker, Streaming
from trivium.config.problems import ConfigError
from trivium.config.rebuild import rebuild
from trivium.config.registry import PACKAGE
from trivium.core.errors import RunError

SECURITY = (
    'security: {protocol: SASL_SSL, mechanism: PLAIN, username: me, password: "${TOKEN}", ca_file: ../certs/ca.pem}'
)
SOURCE = f'{{type: kafka, servers: "one:9092, [::1]:9093", topics: [flights], {SECURITY}}}'
TYPE_COLUMN = ('"${DATA}/raw/"', '"${DATA}/raw/", type_column: kind')


def compiled(
    project: Path, *edits: tuple[str, str], source: str = SOURCE, runtime: RuntimeName = "streaming"
) -> Pipeline:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    (project / "certs").mkdir(exist_ok=True)
    (project / "certs/ca.pem").write_text("certificate")
    text = (project / "configs/flights.yaml").read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    file = project / "configs/both.yaml"
    file.write_text(f"{text}streaming:\n  source: {source}\n")
    return compile_file(file, {**ENVIRON, "WORKERS": "3"}, runtime)


def test_one_file_serves_both_runtimes_with_one_plan(project: Path) -> None:
    batch, streaming = compiled(project, runtime="batch"), compiled(project)
    assert (streaming.plan, streaming.config) == (batch.plan, batch.config)
    assert pickle.loads(pickle.dumps(streaming)) == streaming


def test_a_pipeline_may_only_stream(project: Path) -> None:
    _, *batch = (project / "configs/flights.yaml").read_text().partition("batch:")
    assert compiled(project, ("".join(batch), "")).config.batch is None


def test_the_password_travels_beside_the_plan_and_never_in_it(project: Path) -> None:
    pipeline = compiled(project)
    there = rebuild(pipeline.plan.json, pipeline.secrets, project)
    assert there == pipeline
    assert pipeline.kafka_password() == there.kafka_password() == ENVIRON["TOKEN"]
    assert b"${TOKEN}" in pipeline.plan.json
    for text in (pipeline.plan.json.decode(), repr(pipeline), str(pipeline.config), pipeline.config.model_dump_json()):
        assert ENVIRON["TOKEN"] not in text


def test_a_worker_without_the_secret_says_so(project: Path) -> None:
    plain = compiled(project, ('token: "${TOKEN}"', "strict: false"))
    there = rebuild(plain.plan.json, {}, project)
    with pytest.raises(RunError, match="the secret TOKEN did not reach this process"):
        there.kafka_password()


def test_no_password_is_none(project: Path) -> None:
    source = 'type: kafka, servers: "localhost:9092", topics: [flights]'
    assert compiled(project, source=f"{{{source}}}").kafka_password() is None


def test_a_pipeline_that_does_not_stream_has_no_kafka_source(project: Path) -> None:
    pipeline = compile_file(project / "configs/flights.yaml", {**ENVIRON, "WORKERS": "3"})
    with pytest.raises(RunError, match="has no section streaming"):
        pipeline.kafka_source()


def test_certificates_ship_with_the_project(project: Path) -> None:
    pipeline = compiled(project)
    moved = Path(project.rename(project.with_name("elsewhere")))
    assert pipeline.config.streaming is not None
    assert pipeline.config.streaming.source.security.ca_file == "certs/ca.pem"
    there = rebuild(pipeline.plan.json, pipeline.secrets, moved)
    assert there.kafka_source().security.ca_file == str(moved / "certs/ca.pem")
    assert there.kafka_source().addresses == ("one:9092", "[::1]:9093")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("one:9092", "two:9092"),
        ("topics: [flights]", "topics: [flights, others]"),
        ("type: kafka", "type: kafka, isolation: read_uncommitted"),
        ("username: me", "username: you"),
        ("type: kafka", "type: kafka, fetch_bytes: 1000000"),
    ],
)
def test_where_events_come_from_does_not_decide_what_they_mean(project: Path, old: str, new: str) -> None:
    before, after = compiled(project), compiled(project, source=SOURCE.replace(old, new))
    assert before.plan.logic == after.plan.logic
    assert before.plan.plan != after.plan.plan


def test_the_breaker_does_not_either(project: Path) -> None:
    before, after = compiled(project), compiled(project, ("pipeline: flights", "pipeline: flights\nbreaker: off"))
    assert before.config.breaker == Breaker(ratio=0.5, window_events=10_000)
    assert (before.plan.logic, after.config.breaker) == (after.plan.logic, "off")
    half = compiled(project, ("pipeline: flights", "pipeline: flights\nbreaker: {window_events: 10}"))
    assert half.config.breaker == Breaker(ratio=0.5, window_events=10)
    assert rebuild(half.plan.json, half.secrets, project) == half


def test_how_types_are_found_does(project: Path) -> None:
    plain = compiled(project, TYPE_COLUMN, ("pipeline: flights", "pipeline: flights\nrouting: {header: kind}"))
    other = compiled(project, TYPE_COLUMN, ("pipeline: flights", "pipeline: flights\nrouting: {header: type}"))
    assert len({plain.plan.logic, other.plan.logic, compiled(project).plan.logic}) == 3


def test_with_a_header_an_event_may_declare_the_tags_field(project: Path) -> None:
    executor = project / "executors/arrival/executor.py"
    executor.write_text(
        executor.read_text().replace("landed: datetime\n", "landed: datetime\n    event_type: str = ''\n")
    )
    with pytest.raises(ConfigError, match="declares the field event_type"):
        compiled(project)
    edit = ("pipeline: flights", "pipeline: flights\nrouting: {header: kind}")
    assert compiled(project, TYPE_COLUMN, edit).config.routing.header == "kind"


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        ('["orders-.*"]', ['patterns are not supported; got "orders-.*"']),
        ('["a b", ok, ""]', ['patterns are not supported; got "a b"', 'patterns are not supported; got ""']),
        ("[]", ["expected at least one topic; got a list"]),
    ],
)
def test_topics_that_are_none_are_each_told_once(topics: str, said: list[str], project: Path) -> None:
    source = f'{{type: kafka, servers: "one:9092", topics: {topics}}}'
    with pytest.raises(ConfigError) as raised:
        compiled(project, source=source)
    messages = [problem.message for problem in raised.value.problems]
    assert [message.endswith(end) for message, end in zip(messages, said, strict=True)] == [True] * len(said)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("off", None), ("every 45s", 45.0), ("every 30min", 1_800.0), ("every 1h", 3_600.0), ("every 2d", 172_800.0)],
)
def test_the_time_between_maintenances_reads_like_a_sentence(text: str, seconds: float | None) -> None:
    source = {"type": "kafka", "servers": "h:1", "topics": ("flights",)}
    assert Streaming.model_validate({"source": source, "maintain": text}).maintain_seconds == seconds


@pytest.mark.parametrize("text", ["1h", "every 0h", "every h", "every 1 h", "every 1h ", "every 1w", "hourly", ""])
def test_other_times_between_maintenances_are_refused(text: str) -> None:
    source = {"type": "kafka", "servers": "h:1", "topics": ("flights",)}
    with pytest.raises(ValidationError, match="expected off, or `every` and a time"):
        Streaming.model_validate({"source": source, "maintain": text})
