"""The Dockerfile as a text: no test builds it, for there is no Docker where these run."""

import re
import tomllib
from pathlib import Path

import pytest

from trivium.operations.shipping.manifests import Shipping


@pytest.fixture
def steps(repository: Path) -> list[tuple[str, str]]:
    """The instructions of the file with their arguments."""
    lines = (repository / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in said]


def test_it_copies_the_wheel_and_the_project_alone(steps: list[tuple[str, str]], repository: Path) -> None:
    copied = [text.split(" ")[0] for name, text in steps if name == "COPY"]
    assert copied == ["dist/trivium-*.whl", "executors", "configs"]
    assert all((repository / each).is_dir() for each in copied[1:])


def test_it_installs_the_wheel_with_extras_that_it_has(steps: list[tuple[str, str]], repository: Path) -> None:
    (installed,) = [text for name, text in steps if name == "RUN" and "pip install" in text]
    found = re.search(r'pip install --no-cache-dir "\$\(ls /tmp/trivium-\*\.whl\)\[([a-z,]+)\]"', installed)
    assert found is not None
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(found[1].split(",")) <= set(extras)


def test_the_project_lies_where_the_manifests_look_for_it(steps: list[tuple[str, str]]) -> None:
    assert ("WORKDIR", Shipping("image").project) in steps


def test_it_does_not_run_as_root(steps: list[tuple[str, str]]) -> None:
    assert steps[-1] == ("USER", "trivium")


def test_its_python_is_one_that_the_package_takes(steps: list[tuple[str, str]], repository: Path) -> None:
    requires = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["requires-python"]
    least, below = (int(part.rpartition(".")[2]) for part in requires.split(","))
    found = re.fullmatch(r"python:3\.(\d+)-slim", steps[0][1])
    assert found is not None
    assert least <= int(found[1]) < below
