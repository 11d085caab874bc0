"""Projects and executors that `trivium new` writes work as they are."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.terminal import Trivium, python


def test_a_new_project_checks_and_passes_its_tests(
    tmp_path: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert trivium("new", "project", "shop").exit_code == 0
    monkeypatch.chdir(tmp_path / "shop")
    for event_type in ("refund-made", "visit.v2", "X"):
        assert trivium("new", "executor", event_type).exit_code == 0
    done = trivium("check")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "configs/shop.yaml",
        "  ✓ order: 4 samples",
        "  ✓ refund-made: 2 samples",
        "  ✓ visit.v2: 2 samples",
        "  ✓ X: 2 samples",
        "✓ all good",
    ]
    tests = python("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=tmp_path / "shop")
    assert tests.returncode == 0, tests.stdout
    assert "12 passed" in tests.stdout


def test_what_a_broker_and_runs_leave_is_neither_kept_nor_uploaded(project: Path) -> None:
    """A broker's log and a table in a repository, or in the upload of a Ray job, would be there by accident."""
    for name in (".gitignore", ".rayignore"):
        ignored = (project / name).read_text().splitlines()
        assert {"/.trivium/", "/tables/", ".venv/"} <= set(ignored)


@pytest.mark.parametrize("width", ["88", "120"])
def test_what_it_writes_is_clean(width: str, project: Path, trivium: Trivium) -> None:
    assert trivium("new", "executor", "refund").exit_code == 0
    rules = ("--select", "E,F,I,B,UP,RET,SIM,PL", "--target-version", "py311", "--no-cache")
    for command in (("check", "--isolated", *rules), ("format", "--isolated", "--check", "--no-cache")):
        asked = [sys.executable, "-m", "ruff", *command, "--line-length", width, "executors", "tests"]
        done = subprocess.run(asked, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_line_goes_to_the_pipeline_file_that_was_named(project: Path, trivium: Trivium) -> None:
    other = project / "configs" / "other.yaml"
    other.write_text((project / "configs/shop.yaml").read_text().replace("pipeline: shop", "pipeline: other"))
    several = trivium("new", "executor", "refund")
    assert several.exit_code == 2
    assert "several pipelines: configs/other.yaml, configs/shop.yaml" in several.stderr
    assert trivium("new", "executor", "refund", "--config", "configs/other.yaml").exit_code == 0
    assert "refund" in other.read_text()
    assert "refund" not in (project / "configs/shop.yaml").read_text()


def test_nothing_is_overwritten(project: Path, trivium: Trivium) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    test = project / "tests" / "test_refund.py"
    test.write_text("mine")
    refused = [trivium("new", "executor", "order"), trivium("new", "executor", "refund")]
    assert [done.exit_code for done in refused] == [2, 2]
    assert "lists the executor order already" in refused[0].stderr
    assert f"{test} exists already; nothing was written" in refused[1].stderr
    test.unlink()
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["", "../up", "Shop", "1shop", "a b", "x" * 64])
def test_a_name_that_cannot_be_one_is_refused(
    name: str, tmp_path: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = trivium("new", "project", "--", name)
    assert done.exit_code == 2
    assert "cannot name a project" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("event_type", ["class", "___", "a/b", "a b", "..", "ä", "1st"])
def test_an_event_type_that_cannot_be_a_module_is_refused(event_type: str, project: Path, trivium: Trivium) -> None:
    before = sorted(project.rglob("*"))
    done = trivium("new", "executor", "--", event_type)
    assert done.exit_code == 2
    assert "Try: " in done.stderr
    assert sorted(project.rglob("*")) == before


def test_outside_of_a_project_there_is_nothing_to_add_to(
    tmp_path: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = trivium("new", "executor", "refund")
    assert done.exit_code == 2
    assert "no project here" in done.stderr
