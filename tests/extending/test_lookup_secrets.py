"""Secrets in the section of a lookup: where they travel, where they are never, and how they may be written."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trivium.config import plugins
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.config.problems import ConfigError
from trivium.config.rebuild import rebuild
from trivium.connectors import open_lookup
from trivium.core.clock import SystemClock
from trivium.core.errors import RunError

PROJECT = Path(__file__).parent / "project"
ENVIRON = {"URI": "db://me:pw-in-uri@host/x", "PW": "pw-by-itself", "TOKEN": "first-token", "HEADER": "Bearer header"}
LOGIN = 'login: {user: me, password: "${PW}"}'
SECTION = (
    f'{{type: "lookups.guarded:GuardedLookup", uri: "${{URI}}", {LOGIN}, '
    'tokens: ["${TOKEN}"], headers: {authorization: "${HEADER}", accept: null}}'
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    path = list(sys.path)
    yield Path(shutil.copytree(PROJECT, tmp_path / "visits", ignore=shutil.ignore_patterns("__pycache__")))
    sys.path[:] = path
    plugins.installed.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("executors", "lookups")]:
        del sys.modules[name]


def compiled(root: Path, section: str = SECTION) -> Pipeline:
    config = root / "configs/visits.yaml"
    lines = config.read_text().split("\n")
    config.write_text("\n".join(f"  shops: {section}" if line.startswith("  shops:") else line for line in lines))
    return compile_file(config, ENVIRON, runtime=None)


def test_values_travel_beside_the_plan_and_reach_the_lookup_of_a_worker(project: Path) -> None:
    pipeline = compiled(project)
    there = rebuild(pipeline.plan.json, pipeline.secrets, project)
    assert there == pipeline
    for each in (pipeline, there):
        settings = open_lookup(each.lookups["shops"], SystemClock()).settings  # type: ignore[attr-defined]
        assert settings.uri.get_secret_value() == ENVIRON["URI"]
        assert settings.login.password.get_secret_value() == ENVIRON["PW"]
        assert [token.get_secret_value() for token in settings.tokens] == [ENVIRON["TOKEN"]]
        assert settings.headers["authorization"].get_secret_value() == ENVIRON["HEADER"]
        for text in (each.plan.json.decode(), repr(each), repr(settings), settings.model_dump_json()):
            assert not [value for value in ENVIRON.values() if value in text]
    section = json.loads(pipeline.plan.json)["config"]["lookups"]["shops"]
    assert (section["uri"], section["tokens"], section["login"]["password"]) == ("${URI}", ["${TOKEN}"], "${PW}")
    assert section["headers"] == {"authorization": "${HEADER}", "accept": None}


def test_another_value_is_the_same_plan(project: Path) -> None:
    first = compiled(project).plan.json
    again = compile_file(project / "configs/visits.yaml", {**ENVIRON, "PW": "another-one"}, runtime=None)
    assert again.plan.json == first
    assert again.lookups["shops"].secrets["PW"] == "another-one"


def test_a_uri_without_a_password_may_be_written_out(project: Path) -> None:
    pipeline = compiled(project, SECTION.replace("${URI}", "db://me@host/x?mode=ro"))
    settings = open_lookup(pipeline.lookups["shops"], SystemClock()).settings  # type: ignore[attr-defined]
    assert settings.uri.get_secret_value() == "db://me@host/x?mode=ro"
    assert b"db://me@host/x?mode=ro" in pipeline.plan.json


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("${URI}", "db://me:pw-in-file@host", "lookups.shops.uri"),
        ("${URI}", "db://host/x?password=pw-in-file", "lookups.shops.uri"),
        ("${URI}", "db://me:${PW}@host", "lookups.shops.uri"),
        ("${URI}", "${URI:-db://host}", "lookups.shops.uri"),
        ("${PW}", "pw-in-file", "lookups.shops.login.password"),
        ("${PW}", "${PW:-pw-in-file}", "lookups.shops.login.password"),
        ("${TOKEN}", "pw-in-file", "lookups.shops.tokens"),
        ("${HEADER}", "Bearer ${PW}", "lookups.shops.headers.authorization"),
    ],
)
def test_a_secret_that_is_written_out_is_a_problem_that_does_not_repeat_it(
    project: Path, old: str, new: str, place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        compiled(project, SECTION.replace(old, new))
    (problem,) = caught.value.problems
    assert problem.code == "secret-literal"
    assert problem.path.startswith(place)
    said = str(caught.value)
    assert not [value for value in (*ENVIRON.values(), "pw-in-file") if value in said]


def test_other_problems_of_the_section_repeat_no_secret(project: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        compiled(project, SECTION.replace("user: me", "user: 5").replace("tokens", "tokenz"))
    assert {problem.code for problem in caught.value.problems} >= {"unknown-key", "wrong-value"}
    assert not [value for value in ENVIRON.values() if value in str(caught.value)]


def test_a_plugin_takes_no_variable_but_for_a_secret(project: Path) -> None:
    with pytest.raises(ConfigError, match="plugin-variable") as caught:
        compiled(project, SECTION.replace("user: me", 'user: "${PW}"'))
    assert ENVIRON["PW"] not in str(caught.value)


def test_a_worker_without_the_secret_says_which_lookup_needs_it(project: Path) -> None:
    pipeline = compiled(project)
    without = {name: value for name, value in pipeline.secrets.items() if name != "PW"}
    with pytest.raises(RunError, match="the lookup shops: the secret PW did not reach this process"):
        open_lookup(rebuild(pipeline.plan.json, without, project).lookups["shops"], SystemClock())
