"""The line of Ray that `trivium submit` and `trivium deploy` print, and run unless something would stop it there."""

import inspect
from pathlib import Path

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from tests.support import shop
from tests.support.terminal import Trivium
from trivium.runtimes.serving.application import ServingArgs, build

GIVEN = ("--env", "DATA=/mnt/my data", "--env", "TABLES=s3://bucket/tables")
ENVIRONMENT = '\'{"env_vars": {"MIMALLOC_PURGE_DELAY": "10000", "RAY_JOB_STOP_WAIT_TIME_S": "30"}}\''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = shop.make(tmp_path)
    config = shop.with_variables(root, data="../data", tables="../tables")
    config.write_text(config.read_text() + "serving: {route: /orders}\n")
    monkeypatch.chdir(root)
    return root


def test_the_line_is_printed(project: Path, trivium: Trivium) -> None:
    done = trivium(
        "submit", "batch", "configs/shop.yaml", "--print", *GIVEN, "--from", "2026-01-01", "--to", "2026-01-02"
    )
    assert done.exit_code == 0, done.stderr
    entrypoint = (
        "env 'DATA=/mnt/my data' TABLES=s3://bucket/tables "
        "python -m trivium.cli.main run batch configs/shop.yaml --from 2026-01-01 --to 2026-01-02"
    )
    assert done.stdout == f"ray job submit --working-dir . --runtime-env-json {ENVIRONMENT} -- {entrypoint}\n"


def test_from_another_folder_the_line_changes_into_the_project(
    project: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.parent)
    done = trivium("submit", "batch", "shop/configs/shop.yaml", "--print", *GIVEN)
    assert done.stdout.startswith(f"(cd {project} && ray job submit --working-dir . ")


def test_a_project_with_jobs_has_its_own_way(project: Path, trivium: Trivium) -> None:
    (project / "jobs").mkdir()
    (project / "jobs" / "run_batch.py").write_text("")
    (project / "jobs" / "runtime_env.yaml").write_text("env_vars: {DATA: /mnt/data}\n")
    done = trivium("submit", "batch", "configs/shop.yaml", "--print", "--env", "TABLES=/mnt/t", "--no-wait")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == (
        "ray job submit --working-dir . --runtime-env jobs/runtime_env.yaml --no-wait -- "
        "env TABLES=/mnt/t python jobs/run_batch.py configs/shop.yaml\n"
    )


def test_what_is_wrong_is_not_submitted(project: Path, trivium: Trivium) -> None:
    done = trivium("submit", "batch", "configs/shop.yaml", "--address", "http://127.0.0.1:9")
    assert done.exit_code == 1
    assert "error: pipeline: expected a file that compiles for the cluster, got table.path is relative" in done.stderr
    assert "error: cluster: expected a dashboard of a Ray cluster, got no answer" in done.stderr


@pytest.mark.parametrize("wrong", [("--form", "2026-01-01"), ("--from", "yesterday"), ("--env", "=1")])
def test_arguments_are_read_before_anything_goes(project: Path, trivium: Trivium, wrong: tuple[str, ...]) -> None:
    assert trivium("submit", "batch", "configs/shop.yaml", "--print", *GIVEN, *wrong).exit_code == 2


def test_a_service_is_deployed_from_a_file(project: Path, trivium: Trivium) -> None:
    zipped = "https://example.com/shop.zip"
    done = trivium("deploy", "serving", "configs/shop.yaml", "--print", "--working-dir", zipped, *GIVEN)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "serve deploy .trivium/serve/shop.yaml\n"
    written = yaml.safe_load((project / ".trivium" / "serve" / "shop.yaml").read_text())
    assert written == {
        "http_options": {"host": "0.0.0.0", "port": 8000},
        "applications": [
            {
                "name": "shop",
                "route_prefix": "/orders",
                "import_path": "trivium.runtimes.serving.application:build",
                "args": {"config": "configs/shop.yaml"},
                "runtime_env": {
                    "env_vars": {
                        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
                        "DATA": "/mnt/my data",
                        "TABLES": "s3://bucket/tables",
                    },
                    "working_dir": zipped,
                },
            }
        ],
    }
    assert ServeDeploySchema.model_validate(written).applications[0].route_prefix == "/orders"


def test_serve_takes_no_folder_of_this_machine(project: Path, trivium: Trivium) -> None:
    done = trivium("deploy", "serving", "configs/shop.yaml", "--print", "--working-dir", ".", *GIVEN)
    assert done.exit_code == 1
    assert "error: code: expected https://, s3:// or gs:// of a zip" in done.stderr
    assert not (project / ".trivium" / "serve").exists()


def test_serve_finds_the_arguments_of_the_builder() -> None:
    """Serve takes the class of the arguments from the annotation itself, which must not be a text."""
    assert inspect.signature(build).parameters["args"].annotation is ServingArgs
