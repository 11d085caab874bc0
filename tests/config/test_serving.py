"""The serving section compiled: what it decides, and where its keys are."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.broken_executors import ENVIRON
from trivium.config.compile import Pipeline, compile_file
from trivium.config.key_file import MAX_BYTES, read_keys
from trivium.config.problems import ConfigError
from trivium.config.rebuild import rebuild
from trivium.config.registry import PACKAGE
from trivium.core.errors import RunError

FIRST = "a-long-enough-secret"


def compiled(project: Path, section: str = "route: /flights", **more: str) -> Pipeline:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    text = (project / "configs/flights.yaml").read_text()
    file = project / "configs/serving.yaml"
    file.write_text(f"{text}serving: {{{section}}}\n")
    environ = {**ENVIRON, "WORKERS": "3", "FIRST_TOKEN": FIRST, "NEXT_TOKEN": "another-long-secret", **more}
    return compile_file(file, environ, "serving")


def test_the_section_has_its_defaults_and_its_limits(project: Path) -> None:
    section = compiled(project).serving_section()
    assert (section.route, section.replicas, section.max_body_bytes) == ("/flights", 1, 1 << 20)
    assert not section.protected


def test_keys_travel_beside_the_plan_and_never_in_it(project: Path) -> None:
    pipeline = compiled(project, 'route: /flights, api_keys: ["${FIRST_TOKEN}", "${NEXT_TOKEN}"]')
    there = rebuild(pipeline.plan.json, pipeline.secrets, project)
    assert pipeline.api_keys() == there.api_keys() == (FIRST, "another-long-secret")
    assert pipeline.serving_section().protected
    for text in (pipeline.plan.json.decode(), repr(pipeline), str(pipeline.config), pipeline.config.model_dump_json()):
        assert FIRST not in text
        assert "another-long-secret" not in text
    assert b"${NEXT_TOKEN}" in pipeline.plan.json


def _without(secrets: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in secrets.items() if key != name}


def test_a_replica_without_a_key_says_so(project: Path) -> None:
    pipeline = compiled(project, 'route: /flights, api_keys: ["${NEXT_TOKEN}"]')
    there = rebuild(pipeline.plan.json, _without(pipeline.secrets, "NEXT_TOKEN"), project)
    with pytest.raises(RunError, match="the secret NEXT_TOKEN did not reach this process"):
        there.api_keys()


def test_the_section_decides_nothing_about_rows(project: Path) -> None:
    one, other = compiled(project), compiled(project, "route: /others, deadline_seconds: 3")
    assert one.plan.logic == other.plan.logic
    assert one.plan.plan != other.plan.plan


def test_a_pipeline_that_does_not_serve_says_what_to_add(project: Path) -> None:
    pipeline = compile_file(project / "configs/flights.yaml", {**ENVIRON, "WORKERS": "3"})
    with pytest.raises(RunError, match=r"add serving: \{route: /flights\}"):
        pipeline.serving_section()


@pytest.mark.parametrize("key", ["", "eleven-char", "fifteen-charact", "a-blank-at-the-end "])
def test_a_key_that_cannot_be_used_is_found_before_a_start(project: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compiled(project, 'route: /flights, api_keys: ["${FIRST_TOKEN}", "${NEXT_TOKEN}"]', NEXT_TOKEN=key)
    [problem] = caught.value.problems
    assert (problem.code, problem.path) == ("api-key", "serving.api_keys[1]")
    assert "${NEXT_TOKEN}" in problem.message
    assert not key or key not in str(problem)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"# only a comment\n\n", "an empty file"),
        (b"a-key-of-sixteen\nshort-secret\n", "line 2 of the file"),
        (b"a-key-of-sixteen\nnot\x00printable-0123456\n", "line 2 of the file"),
        (b"a-key-of-sixteen\n\xff\n", "not UTF-8"),
        (b"k" * (MAX_BYTES + 1), "more than 1,048,576 bytes"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_is_found_before_a_start(
    project: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        compiled(project, f"route: /flights, api_keys_file: {file}")
    [problem] = caught.value.problems
    assert (problem.code, problem.path) == ("api-key", "serving.api_keys_file")
    assert words in problem.message
    assert "secret" not in problem.message.replace("import secrets; print(secrets", "")


def test_a_file_of_keys_may_be_on_other_machines_only_and_is_a_file(project: Path, tmp_path: Path) -> None:
    assert compiled(project, f"route: /flights, api_keys_file: {tmp_path}/not-here").serving_section().protected
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(ConfigError, match="expected a regular file"):
            compiled(project, f"route: /flights, api_keys_file: {path}")


def test_what_a_file_of_keys_holds(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(b"\xef\xbb\xbfa-key-of-sixteen\r\n# of the shop\r\n\r\n  another-key-that-is-long \r\n")
    assert read_keys(file) == ["a-key-of-sixteen", "another-key-that-is-long"]


@pytest.mark.parametrize("route", ["/-/routes", "/-", "/-/healthz", "/../..", "/a/../b", "/.", "/a/.", "/a/.."])
def test_a_route_that_never_reaches_the_pipeline_is_refused(project: Path, route: str) -> None:
    with pytest.raises(ConfigError, match=r"serving.route: (no part of a route|/- belongs to Serve)"):
        compiled(project, f"route: {route}")


@pytest.mark.parametrize("route", ["/", "/a-b/-", "/...", "/a/.well-known"])
def test_other_routes_are_fine(project: Path, route: str) -> None:
    assert compiled(project, f"route: {route}").serving_section().route == route
