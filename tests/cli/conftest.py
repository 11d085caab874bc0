"""A small shop of three days, as a project a person would have, and its command line."""

from pathlib import Path

import pytest

from tests.support import shop
from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests, too
from tests.support.terminal import Trivium


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop nobody has run yet; the current folder."""
    root = shop.make(tmp_path)
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, ray_cluster: str) -> tuple[Path, str]:
    """A shop whose batch ran, and what the run printed. Tests only read it."""
    root = shop.make(tmp_path_factory.mktemp("finished"))
    done = Trivium()("run", "batch", str(root / "configs" / "shop.yaml"))
    assert done.exit_code == 0, done.output
    return root, done.stdout


@pytest.fixture
def ran(finished: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The finished shop; the current folder."""
    monkeypatch.chdir(finished[0])
    return finished[0]


@pytest.fixture
def trivium() -> Trivium:
    """The command line."""
    return Trivium()
