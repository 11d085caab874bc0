"""Sources of executors, and names that must not take their place."""

import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.broken_executors import ENVIRON
from trivium.analysis.source_digest import source_digest
from trivium.config import registry
from trivium.config.compile import compile_file
from trivium.config.paths import in_ray_job
from trivium.config.problems import ConfigError
from trivium.config.registry import Registry


def _point(value: str) -> importlib.metadata.EntryPoint:
    return importlib.metadata.EntryPoint("arrival", value, registry.GROUP)


def _install(monkeypatch: pytest.MonkeyPatch, *points: importlib.metadata.EntryPoint) -> None:
    monkeypatch.setattr(registry, "installed_points", lambda: {point.name: point for point in points})


def test_a_folder_that_is_no_package(project: Path) -> None:
    (project / "executors/__init__.py").unlink()
    failure = Registry.from_project(project, ["departure"]).failures["departure"]
    assert (failure.code, failure.hint) == ("no-executors-package", "create an empty executors/__init__.py")


def test_an_installed_package_that_hides_the_project(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("executors", "executors/departure"):
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").touch()
    (tmp_path / "site/executors/departure/executor.py").touch()

    class Hiding:
        """As the finders of editable installs do, ahead of the path."""

        @staticmethod
        def find_spec(
            name: str, path: Sequence[str] | None, target: ModuleType | None = None
        ) -> importlib.machinery.ModuleSpec | None:
            init = tmp_path / "site/executors/__init__.py"
            return importlib.util.spec_from_file_location(name, init) if name == "executors" else None

    monkeypatch.setattr(sys, "meta_path", [Hiding, *sys.meta_path])
    failure = Registry.from_project(project, ["departure"]).failures["departure"]
    assert failure.code == "executor-outside"
    assert "site/executors/departure/executor.py" in failure.message


def test_two_projects_in_one_process_do_not_mix(project: Path, broken_project: Path) -> None:
    first = Registry.from_project(project, ["departure"]).classes["departure"]
    second = Registry.from_project(broken_project, ["departure"]).classes["departure"]
    assert Path(first.declaration.file).is_relative_to(project)
    assert Path(second.declaration.file).is_relative_to(broken_project)


def test_an_executor_of_an_installed_package(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (project / "executors/arrival/executor.py").read_text()
    (project / "executors/arrival/executor.py").unlink()
    (tmp_path / "shared_code.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    _install(monkeypatch, _point("shared_code:ArrivalExecutor"))
    found = Registry.from_project(project, ["arrival"]).classes["arrival"]
    assert (found.__module__, found.declaration.event_type) == ("shared_code", "arrival")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("no_such_module:X", "executor-import"),
        ("pathlib:Path", "executor-missing"),
        ("pathlib:Nope", "executor-import"),
    ],
)
def test_an_entry_point_that_is_no_executor(
    project: Path, monkeypatch: pytest.MonkeyPatch, value: str, code: str
) -> None:
    (project / "executors/arrival/executor.py").unlink()
    _install(monkeypatch, _point(value))
    assert Registry.from_project(project, ["arrival"]).failures["arrival"].code == code


def test_a_folder_and_an_entry_point_claim_one_type(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, _point("shared_code:ArrivalExecutor"))
    failure = Registry.from_project(project, ["arrival"]).failures["arrival"]
    assert failure.code == "executor-claimed-twice"
    assert "shared_code:ArrivalExecutor" in failure.message
    assert "executors/arrival/executor.py:" in failure.message


def test_a_file_outside_any_project(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("pipelin: x")
    with pytest.raises(ConfigError) as caught:
        compile_file(tmp_path / "p.yaml", ENVIRON)
    assert "no-project" in {problem.code for problem in caught.value.problems}
    assert "did you mean pipeline?" in str(caught.value)


def test_the_digest_follows_static_imports(project: Path) -> None:
    nested = project / "executors/deep"
    nested.mkdir()
    (nested / "__init__.py").write_text("import json\n")
    (nested / "far.py").write_text("from . import near\nimport not_there_at_all\nimport executors.deep.far\n")
    (nested / "near.py").write_text("from ..thresholds import *\ndef f():\n    import pydantic.fields\n")
    digest = source_digest("executors.deep.far", nested / "far.py", project)
    names = ["executors", "executors.deep", "executors.deep.far", "executors.deep.near", "executors.thresholds"]
    assert list(digest.modules) == names
    assert set(digest.distributions) == {"pydantic", "not_there_at_all"}
    assert len(digest.version) == 12


def test_a_submitted_job_is_known_by_its_environment() -> None:
    assert in_ray_job({"RAY_JOB_CONFIG_JSON_ENV_VAR": "{}"})
    assert not in_ray_job({})
