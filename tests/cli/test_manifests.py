"""The manifests that `trivium manifests` writes, held to KubeRay's own schemas; no operator runs here."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import shop
from tests.support.kuberay_schemas import complaints
from tests.support.terminal import Trivium

SECTIONS = """streaming:
  source: {type: kafka, servers: "kafka:9092", topics: [orders]}
  workers: 5
  drain_seconds: 40
serving: {route: /orders, replicas: 2, drain_seconds: 10, api_keys: ["${SHOP_KEY}"]}
"""
GIVEN = ("--image", "registry.example/shop:1", "--env", "DATA=s3://bucket/data")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = shop.make(tmp_path)
    config = shop.with_variables(root, data=None, tables="s3://bucket/tables")
    config.write_text(config.read_text() + SECTIONS)
    monkeypatch.chdir(root)
    return root


def written(trivium: Trivium, *more: str) -> dict[str, dict[str, Any]]:
    done = trivium("manifests", "configs/shop.yaml", "--out", "deploy", *GIVEN, *more)
    assert done.exit_code == 0, done.stderr
    return {line: yaml.safe_load(Path(line).read_text()) for line in done.stdout.splitlines()}


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    return [each["template"]["spec"]["containers"][0] for each in groups]


def test_every_runtime_of_the_file_has_one_that_kuberay_takes(project: Path, trivium: Trivium) -> None:
    found = written(trivium)
    assert {name: each["kind"] for name, each in found.items()} == {
        "deploy/batch.job.yaml": "RayJob",
        "deploy/streaming.job.yaml": "RayJob",
        "deploy/serving.service.yaml": "RayService",
    }
    assert {name: complaints(each) for name, each in found.items()} == {name: [] for name in found}
    assert found["deploy/batch.job.yaml"]["spec"]["entrypoint"] == "trivium run batch /srv/project/configs/shop.yaml"


def test_the_schemas_refuse_what_kuberay_does_not_know(project: Path, trivium: Trivium) -> None:
    job = written(trivium)["deploy/batch.job.yaml"]
    job["spec"]["backoffLimit"] = "often"
    job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["grace"] = 3
    assert sorted(each.partition(":")[0] for each in complaints(job)) == [
        "spec.backoffLimit",
        "spec.rayClusterSpec.headGroupSpec.template.spec",
    ]


def test_a_schedule_makes_a_cron_job_of_batch(project: Path, trivium: Trivium) -> None:
    found = written(trivium, "--schedule", "0 3 * * *")["deploy/batch.cronjob.yaml"]
    assert complaints(found) == []
    assert (found["kind"], found["spec"]["schedule"], found["spec"]["timeZone"]) == (
        "RayCronJob",
        "0 3 * * *",
        "Etc/UTC",
    )
    assert found["spec"]["jobTemplate"]["entrypoint"] == "trivium run batch /srv/project/configs/shop.yaml"


def test_variables_are_values_or_references_to_a_secret(
    project: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "never-in-a-manifest")
    expected = [
        {"name": "DATA", "value": "s3://bucket/data"},
        {"name": "SHOP_KEY", "valueFrom": {"secretKeyRef": {"name": "shop-variables", "key": "SHOP_KEY"}}},
        {
            "name": "TABLES",
            "valueFrom": {"secretKeyRef": {"name": "shop-variables", "key": "TABLES", "optional": True}},
        },
    ]
    for name, manifest in written(trivium).items():
        spec = manifest["spec"].get("rayClusterSpec") or manifest["spec"]["rayClusterConfig"]
        assert [each["env"][:3] for each in containers(spec)] == [expected, expected]
        text = Path(name).read_text()
        assert "never-in-a-manifest" not in text
        assert "&id" not in text


def test_a_secret_is_not_written(project: Path, trivium: Trivium) -> None:
    done = trivium("manifests", "configs/shop.yaml", "--out", "deploy", *GIVEN, "--env", "SHOP_KEY=sixteen-characters")
    assert done.exit_code == 1
    assert "error: secret: expected secrets in the environment" in done.stderr
    assert not (project / "deploy").exists()


def test_a_stream_begins_again_and_has_time_to_drain(project: Path, trivium: Trivium) -> None:
    spec = written(trivium)["deploy/streaming.job.yaml"]["spec"]
    assert (spec["entrypoint"], spec["backoffLimit"]) == (
        "trivium run streaming /srv/project/configs/shop.yaml",
        10_000,
    )
    assert yaml.safe_load(spec["runtimeEnvYAML"])["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"] == "70"
    lingering = [each["lifecycle"]["preStop"]["exec"]["command"] for each in containers(spec["rayClusterSpec"])]
    assert lingering == [["sleep", "40"], ["sleep", "40"]]
    groups = [spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]]
    assert [each["template"]["spec"]["terminationGracePeriodSeconds"] for each in groups] == [70, 70]
    assert groups[1]["replicas"] == 3


def test_a_service_in_an_image_imports_what_is_installed(project: Path, trivium: Trivium) -> None:
    """Ray's workers do not begin in the project's folder, so its `serve/app.py` is out of reach."""
    (project / "serve").mkdir()
    (project / "serve" / "app.py").write_text("")
    spec = written(trivium)["deploy/serving.service.yaml"]["spec"]
    application = yaml.safe_load(spec["serveConfigV2"])["applications"][0]
    assert application["import_path"] == "trivium.runtimes.serving.application:build"


def test_workers_that_serve_are_ready_when_their_proxy_is(project: Path, trivium: Trivium) -> None:
    spec = written(trivium, "--cpus", "1")["deploy/serving.service.yaml"]["spec"]
    head, worker = containers(spec["rayClusterConfig"])
    assert worker["readinessProbe"]["httpGet"] == {"path": "/-/healthz", "port": 8000}
    assert head["readinessProbe"]["httpGet"] == {"path": "/api/healthz", "port": 52365}
    assert worker["livenessProbe"]["httpGet"] == {"path": "/api/healthz", "port": 52365}
    assert spec["rayClusterConfig"]["workerGroupSpecs"][0]["replicas"] == 4
    application = yaml.safe_load(spec["serveConfigV2"])["applications"][0]
    assert application["args"] == {"config": "/srv/project/configs/shop.yaml"}
    assert application["route_prefix"] == "/orders"


def test_a_name_that_is_too_long_is_an_argument_error(project: Path, trivium: Trivium) -> None:
    config = project / "configs" / "shop.yaml"
    config.write_text(config.read_text().replace("pipeline: shop", f"pipeline: {'s' * 45}"))
    done = trivium("manifests", "configs/shop.yaml", "--out", "deploy", *GIVEN)
    assert done.exit_code == 2
    assert "at most 47 characters" in done.stderr
