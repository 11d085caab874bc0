"""The page of the serving runtime lists metrics, variables, settings and problems as they are."""

import re
from pathlib import Path

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from trivium.config.model.serving import Serving
from trivium.engine.metrics import SERVING_CATALOGUE
from trivium.runtimes.serving.proxy.haproxy import Ports, haproxy_settings


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs/serving.md").read_text()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_every_metric_is_listed_as_the_catalogue_has_it(page: str) -> None:
    listed = [line for line in page.splitlines() if line.startswith("| `trivium_")]
    assert listed == [f"| `{m.name}` | {m.kind} | {', '.join(m.tags)} | {m.description} |" for m in SERVING_CATALOGUE]


def test_every_variable_of_a_run_is_listed(page: str, tmp_path: Path) -> None:
    listed = re.findall(r"^\| `(RAY_SERVE_\w+)` \|", page, re.MULTILINE)
    assert listed == list(haproxy_settings(tmp_path, Ports(1, 2, 3, 4, 20_000), Serving(route="/")))


def test_every_setting_is_shown(page: str) -> None:
    shown = blocks(page, "yaml")[0].replace("# api_keys_file", "api_keys_file")
    assert list(yaml.safe_load(shown)["serving"]) == list(Serving.model_fields)


def test_every_problem_is_listed(page: str, repository: Path) -> None:
    sources = (repository / "platform/trivium/runtimes/serving").rglob("*.py")
    raised = {
        slug
        for source in sources
        for slug in re.findall(
            r'(?:HTTPStatus\.\w+|Details\(\s*\d+), "([a-z-]+)"|^    \d+: "([a-z-]+)"',
            source.read_text(),
            re.MULTILINE,
        )
        for slug in slug
        if slug
    }
    assert {slug for slug in raised if f"`{slug}`" not in page} == set()
    assert len(raised) >= 18


def test_the_config_for_serve_deploy_is_one(page: str) -> None:
    (text,) = [block for block in blocks(page, "yaml") if "applications:" in block]
    (application,) = ServeDeploySchema.model_validate(yaml.safe_load(text)).applications
    assert application.import_path == "serve.app:app"
