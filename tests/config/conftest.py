"""A fixture project, and a process that forgets it afterwards."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broken_executors import BROKEN

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(autouse=True)
def forget_projects() -> Iterator[None]:
    """Undo what importing a project's executors leaves in this process."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in ("executors", "shared_code"):
            del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the good project."""
    return Path(shutil.copytree(PROJECT, tmp_path / "flights", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture(scope="session")
def broken_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good project with broken executors beside the good ones."""
    root = Path(shutil.copytree(PROJECT, tmp_path_factory.mktemp("broken") / "flights"))
    for name, source in BROKEN.items():
        (root / "executors" / name).mkdir()
        (root / "executors" / name / "executor.py").write_text(source)
    return root
