"""Values that came from a `${NAME}` are references in a plan, and decide the hashes all the same."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.broken_executors import ENVIRON
from trivium.config.compile import Pipeline, compile_file
from trivium.config.problems import ConfigError
from trivium.config.rebuild import rebuild
from trivium.config.registry import PACKAGE
from trivium.config.yaml.load import load_text
from trivium.core.errors import RunError

CODE = '''
from typing import Literal
from pydantic import BaseModel, SecretBytes, SecretStr, field_validator
from executors.flight_event import FlightEvent
from trivium import Event, Executor, ExecutorOptions


class Told(Event, tag="told"):
    """An event."""

    flight_id: str


class Inner(BaseModel):
    """Nested options."""

    name: str = ""
    tags: list[str] = []


class ToldExecutor(Executor[Told, FlightEvent]):
    """Reads nothing."""

    class Options(ExecutorOptions):
        """One of each kind."""

        text: str = ""
        number: int = 0
        share: float = 0.0
        flag: bool = False
        maybe: str | None = None
        mode: Literal["one", "other"] = "one"
        several: tuple[str, ...] = ()
        by_name: dict[str, str] = {}
        inner: Inner = Inner()
        secret: SecretStr = SecretStr("")
        raw: SecretBytes = SecretBytes(b"")

        @field_validator("text")
        @classmethod
        def _no_spaces(cls, text: str) -> str:
            if "bad" in text:
                raise ValueError(f"{text!r} has bad in it, and so has {text.split('-')[-1]}")
            return text

    def process(self, event: Told) -> None:
        """Nothing."""
'''
WAYS: dict[str, tuple[str, str, str]] = {
    "text": ('text: "${X}"', "s3cr3t-0ne", "s3cr3t-tw0"),
    "part of a text": ('text: "before-${X}-after"', "s3cr3t-0ne", "s3cr3t-tw0"),
    "twice in a text": ('text: "${X}/${X}"', "s3cr3t-0ne", "s3cr3t-tw0"),
    "a default that is not used": ('text: "${X:-none}"', "s3cr3t-0ne", "s3cr3t-tw0"),
    "number": ('number: "${X}"', "918273645", "918273646"),
    "share": ('share: "${X}"', "0.918273645", "0.918273646"),
    "flag": ('flag: "${X}"', "true", "false"),
    "maybe": ('maybe: "${X}"', "s3cr3t-0ne", "s3cr3t-tw0"),
    "mode": ('mode: "${X}"', "one", "other"),
    "in a list": ('several: [a, "${X}", "b${X}"]', "s3cr3t-0ne", "s3cr3t-tw0"),
    "in a mapping": ('by_name: {a.b: "${X}"}', "s3cr3t-0ne", "s3cr3t-tw0"),
    "in a model": ('inner: {name: "${X}", tags: ["${X}"]}', "s3cr3t-0ne", "s3cr3t-tw0"),
    "secret": ('secret: "${X}"', "s3cr3t-0ne", "s3cr3t-tw0"),
    "secret bytes": ('raw: "${X}"', "s3cr3t-0ne", "s3cr3t-tw0"),
    "letters beyond ASCII": ('text: "${X}"', 'ge"heim\\ß日', 'ge"heim\\ß月'),
}


@pytest.fixture
def told(project: Path) -> Path:
    (project / "executors/told").mkdir()
    (project / "executors/told/executor.py").write_text(CODE)
    return project


def compiled(project: Path, options: str, **environ: str) -> Pipeline:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    text = (project / "configs/flights.yaml").read_text()
    file = project / "configs/told.yaml"
    file.write_text(text.replace("executors:\n", f"executors:\n  - {{type: told, options: {{{options}}}}}\n"))
    return compile_file(file, {**ENVIRON, "WORKERS": "3", **environ})


@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_nowhere_in_the_plan_and_changes_its_hashes(told: Path, way: str) -> None:
    written, one, other = WAYS[way]
    first, again, second = (compiled(told, written, X=value) for value in (one, one, other))
    options = first.plan.document["config"]["executors"][0]["options"]
    assert options == first.plan.document["logic"]["executors"]["told"]["options"]
    assert "${X" in str(options)
    if len(one) > 5:  # the others are words of every plan
        for text in (first.plan.json.decode(), repr(first), str(first.config), str(first.executors)):
            assert one not in text
            assert one.encode("unicode_escape").decode() not in text
    assert (first.plan.logic, first.plan.plan) == (again.plan.logic, again.plan.plan)
    assert first.plan.logic != second.plan.logic
    assert first.plan.plan != second.plan.plan


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_has_the_values(told: Path, way: str) -> None:
    written, one, _ = WAYS[way]
    driver = compiled(told, written, X=one)
    worker = rebuild(driver.plan.json, driver.secrets, told)
    assert worker == driver
    assert worker.executors["told"].options.model_dump() == driver.executors["told"].options.model_dump()
    with pytest.raises(RunError, match="of told did not reach this worker"):
        rebuild(driver.plan.json, {}, told)


def test_a_worker_with_another_value_refuses(told: Path) -> None:
    driver = compiled(told, 'text: "${X}"', X="s3cr3t-0ne")
    other = {name: value.replace("0ne", "tw0") for name, value in driver.secrets.items()}
    with pytest.raises(RunError, match="the executor told differs: values"):
        rebuild(driver.plan.json, other, told)


def test_a_default_in_force_is_not_shown_either(told: Path) -> None:
    pipeline = compiled(told, 'text: "${X:-s3cr3t-default}", number: "${Y:-77}"')
    assert pipeline.executors["told"].options.model_dump()["text"] == "s3cr3t-default"
    assert pipeline.plan.document["config"]["executors"][0]["options"] == {"text": "${X:-…}", "number": "${Y:-…}"}
    assert rebuild(pipeline.plan.json, pipeline.secrets, told) == pipeline
    other = compiled(told, 'text: "${X:-s3cr3t-other}", number: "${Y:-77}"')
    assert other.plan.logic != pipeline.plan.logic


def test_a_dollar_that_is_written_out_comes_back(told: Path) -> None:
    pipeline = compiled(told, 'text: "$${X}${X}", maybe: "$$5"', X="s3cr3t-0ne")
    assert pipeline.executors["told"].options.model_dump()["text"] == "${X}s3cr3t-0ne"
    worker = rebuild(pipeline.plan.json, pipeline.secrets, told)
    assert worker.executors["told"].options.model_dump() == pipeline.executors["told"].options.model_dump()


def test_what_is_written_out_stands_in_the_plan_and_its_digest_has_no_place(told: Path) -> None:
    pipeline = compiled(told, "text: open, several: [a]")
    told_logic = pipeline.plan.document["logic"]["executors"]["told"]
    assert (told_logic["options"], told_logic["values"]) == ({"text": "open", "several": ["a"]}, None)


def test_the_digest_is_another_in_another_pipeline(told: Path) -> None:
    def digest() -> Any:
        return compiled(told, 'text: "${X}"', X="a").plan.document["logic"]["executors"]["told"]["values"]

    before = digest()
    file = told / "configs/flights.yaml"
    file.write_text(file.read_text().replace("pipeline: flights", "pipeline: journeys"))
    assert digest() != before


@pytest.mark.parametrize("value", ["bad-s3cr3t", "x", "bad-7", 'bad-"\\s3cr3t'])
def test_a_problem_with_an_option_shows_the_reference_only(told: Path, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compiled(told, 'text: "${X}", number: "${X}"', X=value)
    for text in (str(caught.value), str(msgspec.to_builtins(caught.value.problems)), repr(caught.value)):
        assert "${X}" in text
        assert "s3cr3t" not in text
        assert "bad-7" not in text


SECURITY = 'protocol: SASL_SSL, mechanism: PLAIN, username: "${WHO:-somebody}", password: "${TOKEN}"'


def test_the_user_of_a_broker_is_not_shown_either(project: Path) -> None:
    text = (project / "configs/flights.yaml").read_text()
    source = f"{{type: kafka, servers: localhost:9092, topics: [flights], security: {{{SECURITY}}}}}"
    file = project / "configs/stream.yaml"
    file.write_text(f"{text}streaming:\n  source: {source}\n")
    pipeline = compile_file(file, {**ENVIRON, "WORKERS": "3", "WHO": "secret-user"}, "streaming")
    assert b"secret-user" not in pipeline.plan.json
    assert "secret-user" not in repr(pipeline)
    for each in (pipeline, rebuild(pipeline.plan.json, pipeline.secrets, project)):
        assert each.kafka_source().security.username == "secret-user"
        assert each.kafka_password() == ENVIRON["TOKEN"]


TOKEN = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(\$\{)")


@given(st.lists(st.sampled_from(["$", "{", "}", "${", ":-", "A", "B", "_1", " ", "$$", "${A}", "${B:-"]), max_size=12))
@settings(max_examples=500, derandomize=True, deadline=None)
def test_one_pass_reads_what_the_pattern_of_a_reference_says(parts: list[str]) -> None:
    text, environ = "".join(parts), {"A": "value"}
    expected = TOKEN.sub(lambda found: "$" if found[0] == "$$" else environ.get(found[1], found[2] or ""), text)
    found = list(TOKEN.finditer(text))
    document = load_text(f"a: {json.dumps(text)}".encode(), "pipeline.yaml", environ)
    codes = {problem.code for problem in document.problems}
    if any(each[3] for each in found):
        assert codes == {"malformed-reference"}
    elif any(each[1] and each[1] not in environ and each[2] is None for each in found):
        assert codes == {"unset-variable"}
    else:
        assert (codes, document.value["a"]) == (set(), expected)
