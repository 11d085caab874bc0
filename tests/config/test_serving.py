"""The serving section compiled: what it decides, and where its keys are."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.config.conftest import ENVIRON
from trivium.config.compile import Pipeline, compile_file
from trivium.config.rebuild import rebuild
from trivium.config.registry import PACKAGE
from trivium.contract.errors import RunError


def compiled(project: Path, section: str = "route: /flights") -> Pipeline:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    text = (project / "configs/flights.yaml").read_text()
    file = project / "configs/serving.yaml"
    file.write_text(f"{text}serving: {{{section}}}\n")
    environ = {**ENVIRON, "WORKERS": "3", "NEXT_TOKEN": "another-long-secret"}
    return compile_file(file, environ, "serving")


def test_the_section_has_its_defaults_and_its_limits(project: Path) -> None:
    section = compiled(project).serving_section()
    assert (section.route, section.replicas, section.max_body_bytes) == ("/flights", 1, 1 << 20)
    assert not section.protected


def test_keys_travel_beside_the_plan_and_never_in_it(project: Path) -> None:
    pipeline = compiled(project, 'route: /flights, api_keys: ["${TOKEN}", "${NEXT_TOKEN}"]')
    there = rebuild(pipeline.plan.json, pipeline.secrets, project)
    assert pipeline.api_keys() == there.api_keys() == (ENVIRON["TOKEN"], "another-long-secret")
    assert pipeline.serving_section().protected
    for text in (pipeline.plan.json.decode(), repr(pipeline), str(pipeline.config), pipeline.config.model_dump_json()):
        assert ENVIRON["TOKEN"] not in text
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
