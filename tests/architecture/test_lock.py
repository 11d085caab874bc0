"""The lock installs the same files everywhere and says nothing about the machine that made it."""

import itertools
import re
import tomllib
from pathlib import Path

import pytest

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>\S+)")


@pytest.fixture(scope="module")
def lock(repository: Path) -> str:
    return (repository / "requirements.lock").read_text()


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_names_no_registry_and_no_path(lock: str) -> None:
    code = [line.split("#")[0] for line in lock.splitlines()]
    assert not [line for line in code if "://" in line or " @ " in line]
    assert not [line for line in code if line.startswith(("--", "-e", "-f", "-i", "/", "."))]
    assert not re.search(r"(?<![\w.])/(home|root|tmp|usr|work|Users)/", lock)


def test_every_package_is_pinned_with_hashes(lock: str) -> None:
    entries = re.sub(r"\\\n", " ", lock).splitlines()
    pins = [entry for entry in entries if entry.strip() and not entry.lstrip().startswith("#")]
    assert len(pins) > 50
    assert not [pin for pin in pins if not PIN.match(pin) or "--hash=sha256:" not in pin]


def test_every_dependency_of_the_project_is_in_the_lock(repository: Path, lock: str) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = {normal(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in wanted}
    locked = {normal(match["name"]) for line in lock.splitlines() if (match := PIN.match(line))}
    assert names - locked == set()
