"""One cluster for the tests of submitted jobs and deployed services, and copies of the repository to submit from."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bare_cluster import Cluster, make_python, running_cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, airlines: str) -> Iterator[Cluster]:
    """A cluster under a Python without trivium, whose processes find the airlines' names."""
    python = make_python(tmp_path_factory.mktemp("bare"))
    with running_cluster(python, tmp_path_factory.mktemp("cwd")) as running:
        yield running


@pytest.fixture
def copy_of_repository(repository: Path, tmp_path: Path) -> Path:
    """The files git knows, elsewhere."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=repository, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        target = tmp_path / "copy" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, target)
    return tmp_path / "copy"
