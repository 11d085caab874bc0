"""`serve deploy` the hard way: from archives alone, on a cluster whose Python has no trivium; and `serve build`.

The configuration is the one docs/serving.md shows, with other addresses in it.
"""

import json
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.bare_cluster import Cluster, write_lookups
from trivium.core.network import free_port

DEPARTURE = {
    "event_type": "departure",
    "flight_id": "a",
    "scheduled": "2013-01-01T10:15:00Z",
    "carrier": "UA",
    "flight_number": 1,
    "tail_number": "N1",
    "origin": "EWR",
    "destination": "IAH",
    "distance_miles": 1400,
    "delay_minutes": 2,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One plane and no airport."""
    folder = tmp_path / "data"
    write_lookups(folder)
    return folder


def archive(folder: Path, top: str, name: Path) -> str:
    """A zip of a folder, below one folder at its top, as a URI."""
    made = shutil.make_archive(str(name), "zip", folder.parent, folder.name)
    assert folder.name == top
    return f"file://{made}"


def config_of_the_page(repository: Path) -> dict[str, Any]:
    blocks = re.findall(r"```yaml\n(.*?)```", (repository / "docs/serving.md").read_text(), re.DOTALL)
    shown: dict[str, Any] = yaml.safe_load(next(block for block in blocks if "applications:" in block))
    return shown


def test_a_service_from_archives_alone(
    cluster: Cluster, copy_of_repository: Path, repository: Path, data: Path, tmp_path: Path
) -> None:
    config = config_of_the_page(repository)
    (application,) = config["applications"]
    port = free_port()
    config["http_options"] = {"host": "127.0.0.1", "port": port}
    environ = application["runtime_env"]
    environ["py_modules"] = [archive(copy_of_repository / "platform", "platform", tmp_path / "platform")]
    project = copy_of_repository.rename(copy_of_repository.parent / "project")
    for name in ("platform", "tests", "benchmarks", "docs"):
        shutil.rmtree(project / name, ignore_errors=True)
    environ["working_dir"] = archive(project, "project", tmp_path / "project")
    environ["env_vars"] |= {"DATA": str(data), "TABLES": str(tmp_path / "tables")}
    shutil.rmtree(project)
    (tmp_path / "serve.yaml").write_text(yaml.safe_dump(config))

    command = ["-m", "ray.serve.scripts", "deploy", "serve.yaml", "--address", cluster.address]
    done = subprocess.run(
        [cluster.python, *command], cwd=tmp_path, env=cluster.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (event,) = answer(f"http://127.0.0.1:{port}/flights/v1/events", cluster)["events"]
    assert (event["outcome"], event["rows"][0]["manufacturer"]) == ("emitted", "BOEING")


def answer(url: str, cluster: Cluster) -> Any:
    """The answer to a departure, once there is one."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(DEPARTURE).encode(), headers)
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return json.load(response)
        except OSError as error:
            if time.monotonic() > end:
                raise AssertionError(status(cluster)) from error
            time.sleep(0.5)


def status(cluster: Cluster) -> str:
    command = [cluster.python, "-m", "ray.serve.scripts", "status", "--address", cluster.address]
    return subprocess.run(command, env=cluster.environ, capture_output=True, text=True, check=False).stdout


def test_serve_build_writes_the_application(cluster: Cluster, copy_of_repository: Path, data: Path) -> None:
    environ = {**cluster.environ, "PYTHONPATH": "platform", "DATA": str(data), "TABLES": str(data / "tables")}
    (copy_of_repository / "built.py").write_text(
        "from serve.app import app\nfrom trivium.runtimes.serving.application import ServingArgs\n"
        "built = app(ServingArgs(config='configs/flights.yaml'))\n"
    )
    done = subprocess.run(
        [cluster.python, "-m", "ray.serve.scripts", "build", "built:built"],
        cwd=copy_of_repository, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (application,) = yaml.safe_load(done.stdout[done.stdout.index("proxy_location") :])["applications"]
    (deployment,) = application["deployments"]
    assert (deployment["name"], deployment["max_surge_percent"]) == ("events", 100)
