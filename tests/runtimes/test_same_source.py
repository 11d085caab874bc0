"""Each runtime's worker refuses other sources than the driver planned with, before it opens anything."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from trivium.config.compile import Pipeline, RuntimeName, compile_file
from trivium.config.plan import canonical
from trivium.core.errors import RunError
from trivium.delivery.storage.token import StorageToken
from trivium.runtimes.batch.job import Job
from trivium.runtimes.batch.unit_runner import UnitRunner
from trivium.runtimes.serving.host import ServeJob, ServingHost
from trivium.runtimes.streaming.job import StreamJob
from trivium.runtimes.streaming.worker.epoch_runner import EpochRunner

PROJECT: Final = Path(__file__).parents[1] / "config" / "project"
RUNTIMES = """
streaming:
  source: {type: kafka, servers: "nowhere:9", topics: [flights]}
serving: {route: /flights}
"""
NOWHERE = StorageToken("/nowhere", "token", "text")
OPEN: Mapping[RuntimeName, Callable[[bytes, Mapping[str, str], str], Any]] = {
    "batch": lambda plan, secrets, root: UnitRunner(Job(plan, secrets, root, 1, None, {}, {}, NOWHERE)),
    "streaming": lambda plan, secrets, root: EpochRunner(StreamJob(plan, secrets, root, 1, {}, NOWHERE)),
    "serving": lambda plan, secrets, root: ServingHost(ServeJob(plan, secrets, root)),
}


@pytest.fixture(autouse=True)
def own_executors() -> Iterator[None]:
    """The project's modules are forgotten afterwards."""
    path = list(sys.path)
    known = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "executors"}
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] == "executors"]:
        del sys.modules[name]
    sys.modules.update(known)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = Path(shutil.copytree(PROJECT, tmp_path / "flights", ignore=shutil.ignore_patterns("__pycache__")))
    config = root / "configs" / "flights.yaml"
    config.write_text(config.read_text() + RUNTIMES)
    return root


def compiled(project: Path, runtime: RuntimeName) -> Pipeline:
    environ = {"DATA": "/nowhere", "TABLES": "/nowhere", "TOKEN": "secret", "WORKERS": "2"}
    return compile_file(project / "configs" / "flights.yaml", environ, runtime)


@pytest.mark.parametrize("runtime", list(OPEN))
@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("executors/departure/executor.py", "executors.departure.executor"),
        ("executors/thresholds.py", "executors.thresholds"),
        ("executors/__init__.py", "executors"),
    ],
)
def test_a_changed_file_is_refused_and_named(runtime: RuntimeName, file: str, module: str, project: Path) -> None:
    pipeline = compiled(project, runtime)
    (project / file).write_text((project / file).read_text() + "\n# another line\n")
    with pytest.raises(RunError, match=rf"something else .* the sources of departure differs: .*{module}: planned"):
        OPEN[runtime](pipeline.plan.json, pipeline.secrets, str(project))


@pytest.mark.parametrize("runtime", list(OPEN))
@pytest.mark.parametrize(
    ("place", "what"),
    [
        (("engine", "pyarrow"), "engine differs: pyarrow"),
        (("engine", "trivium"), "engine differs: trivium"),
        (("engine", "python"), "engine differs: python"),
        (("executors", "departure", "source", "distributions", "pydantic"), "the sources of departure differs: dist"),
    ],
)
def test_another_version_is_refused_and_named(
    runtime: RuntimeName, place: tuple[str, ...], what: str, project: Path
) -> None:
    pipeline = compiled(project, runtime)
    document = json.loads(pipeline.plan.json)
    holder = document["logic"]
    for name in place[:-1]:
        holder = holder[name]
    here, holder[place[-1]] = holder[place[-1]], "1.0.0"
    with pytest.raises(RunError, match=rf"{what}.*planned 1\.0\.0, here {here}"):
        OPEN[runtime](canonical(document), pipeline.secrets, str(project))
