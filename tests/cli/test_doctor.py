"""The lines of `trivium doctor`, its exit code, and its output for programs."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support import shop
from tests.support.dashboard import dashboard
from tests.support.terminal import Trivium
from trivium.delivery.storage.storage import Storage
from trivium.operations.shipping import machine


def lines(text: str, check: str) -> list[str]:
    return [line for line in text.splitlines() if line[2:].startswith(f"{check}:")]


def test_this_machine_is_fit_for_the_tests(trivium: Trivium) -> None:
    done = trivium("doctor")
    assert done.exit_code == 0, done.stdout
    assert lines(done.stdout, "python") == [f"✓ python: {platform.python_version()}"]
    assert lines(done.stdout, "packages")[0].endswith(" as required")
    checks = [line[2:].partition(":")[0] for line in done.stdout.splitlines()]
    assert checks == ["python", "packages", "cores", "memory", "shared memory", "disk", "open files"]


def test_a_package_of_another_version_is_named(trivium: Trivium, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        machine, "requires", lambda _: ["msgspec<0.1", "no-such-package>=1", "redis>=99; extra == 'redis'"]
    )
    done = trivium("doctor")
    assert done.exit_code == 1
    assert lines(done.stdout, "packages") == [
        f"✗ packages: expected msgspec<0.1, got {version('msgspec')} (msgspec). Try: pip install 'msgspec<0.1'",
        "✗ packages: expected no-such-package>=1, got none (no-such-package). Try: pip install 'no-such-package>=1'",
    ]


def test_too_few_cores_are_a_warning() -> None:
    (found,) = [each for each in machine.look_at_machine(workers=100_000) if each.check == "cores"]
    assert (found.level, found.expected) == ("warning", "100000, one for each worker of the pipeline")


def test_a_pipeline_that_can_run_here(project: Path, trivium: Trivium) -> None:
    done = trivium("doctor", "configs/shop.yaml")
    assert done.exit_code == 0, done.stdout
    assert lines(done.stdout, "storage") == [
        f"✓ storage: creates exclusively (table: {project}/tables/shop)",
        f"✓ storage: creates exclusively (dead_letters: {project}/tables/shop_dead_letters)",
    ]
    assert [path for path in (project / "tables").rglob("*") if path.is_file()] == []


def test_variables_are_shown_without_their_values(
    project: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.with_variables(project, data=None, tables="../tables")
    monkeypatch.setenv("DATA", "/of/the/machine")
    done = trivium("doctor", "configs/shop.yaml")
    assert lines(done.stdout, "variable") == [
        "✓ variable: set (DATA)",
        "✓ variable: not set, has a default (TABLES)",
    ]
    assert "/of/the/machine" not in done.stdout
    monkeypatch.delenv("DATA")
    done = trivium("doctor", "configs/shop.yaml")
    assert done.exit_code == 1
    assert lines(done.stdout, "variable")[0] == "✗ variable: expected a value, got none (DATA). Try: export DATA=…"


def test_storage_that_overwrites_is_an_error(project: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Storage, "create", lambda storage, path, data: storage.publish(path, data))
    done = trivium("doctor", "configs/shop.yaml")
    assert done.exit_code == 1
    assert len(lines(done.stdout, "storage")) == 2
    assert "expected storage that refuses to create a file that is there, got two files of one name" in done.stdout


def test_storage_that_is_no_folder_is_an_error(project: Path, trivium: Trivium) -> None:
    (project / "tables").write_text("a file")
    done = trivium("doctor", "configs/shop.yaml")
    assert done.exit_code == 1
    assert all(
        line.startswith("✗ storage: expected a place to write to, got ") for line in lines(done.stdout, "storage")
    )


def test_a_cluster_for_programs(trivium: Trivium) -> None:
    with dashboard("2.48.0", platform.python_version()) as address:
        done = trivium("doctor", "--address", address, "--format", "json")
    assert done.exit_code == 1
    found = {each["check"]: each for each in json.loads(done.stdout)["findings"]}
    assert (found["Ray"]["level"], found["Ray"]["got"], found["Ray"]["where"]) == ("error", "2.48.0", address)
    assert found["Python"]["level"] == "ok"
