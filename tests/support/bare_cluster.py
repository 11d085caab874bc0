"""A Ray cluster whose Python has the dependencies but no trivium, and jobs for it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sysconfig
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake
from ray.job_submission import JobStatus, JobSubmissionClient

from jobs.flight_facts import write_weather
from tests.support.processes import until
from trivium.core.network import free_port

PLANE = {"tailnum": "N1", "manufacturer": "BOEING", "model": "737", "seats": 149, "year": 1999}
HOUR = {
    "origin": "EWR",
    "time_hour": datetime(2013, 1, 1, 10, tzinfo=UTC),
    "temp": 39.0,
    "wind_speed": 8.5,
    "visib": 10,
}
AIRPORT = pa.schema([("faa", pa.string()), ("name", pa.string()), ("lat", pa.float64()), ("lon", pa.float64())])


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster under a Python without trivium: its Jobs address, that Python, the environment to call it in."""

    address: str
    python: str
    environ: dict[str, str]

    def ray(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run the `ray` command of that Python."""
        command = [self.python, "-m", "ray.scripts.scripts", *arguments]
        return subprocess.run(
            command, cwd=cwd, env=self.environ, text=True, capture_output=True, timeout=180, check=False
        )


def make_python(folder: Path) -> Path:
    """Make a Python that sees this environment's packages but not what is installed editable into it."""
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = folder / "bin" / "python"
    command = [python, "-c", "import ray, deltalake; import trivium"]
    answer = subprocess.run(command, env=_clean_environ(), capture_output=True, text=True, check=False)
    assert "No module named 'trivium'" in answer.stderr
    return python


@contextmanager
def running_cluster(python: Path, folder: Path) -> Iterator[Cluster]:
    """Run a head node with places for the jobs and services of several tests."""
    port, dashboard = free_port(), free_port()
    environ = _clean_environ() | {"PATH": f"{python.parent}:{os.environ['PATH']}", "RAY_AUTH_MODE": "disabled"}
    if "RAY_TMPDIR" in os.environ:
        environ["RAY_TMPDIR"] = os.environ["RAY_TMPDIR"]
    options = [
        *("--port", str(port), "--dashboard-port", str(dashboard), "--dashboard-host", "127.0.0.1"),
        *("--node-ip-address", "127.0.0.1", "--ray-client-server-port", str(free_port())),
        # The agent that takes jobs has a fixed port by default, which another Ray on this machine may hold.
        *("--dashboard-agent-listen-port", str(free_port()), "--metrics-export-port", str(free_port())),
        *("--num-cpus", "6", "--block", "--disable-usage-stats"),
    ]
    command = [str(python), "-m", "ray.scripts.scripts", "start", "--head", *options]
    with (folder / "ray.log").open("w") as log:
        head = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for_port(dashboard, head)
        yield Cluster(f"http://127.0.0.1:{dashboard}", str(python), environ)
    finally:
        _kill_session(head)


def write_lookups(folder: Path) -> None:
    """Write what the flights' pipeline looks up in files: one plane, no airport and one hour of weather."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([PLANE]), folder / "planes.parquet")
    write_deltalake(folder / "airports", AIRPORT.empty_table())
    write_weather(pa.Table.from_pylist([HOUR]), folder / "weather.sqlite")


def ended(cluster: Cluster, name: str) -> tuple[JobStatus, str]:
    """Wait for a job's end; return its last status and its log."""
    client = JobSubmissionClient(cluster.address)
    end = time.monotonic() + 240
    while not (status := client.get_job_status(name)).is_terminal():
        assert time.monotonic() < end, "the job did not end in time"
        time.sleep(0.1)
    return status, client.get_job_logs(name)


def _clean_environ() -> dict[str, str]:
    """Return the environment without what could lead to this checkout or to another cluster."""
    foreign = ("PYTHON", "RAY_", "VIRTUAL")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def _wait_for_port(port: int, head: subprocess.Popen[bytes]) -> None:
    def opened() -> bool:
        assert head.poll() is None, "the cluster did not start"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        return False

    until(opened, "the Jobs API opens its port")


def _kill_session(head: subprocess.Popen[bytes]) -> None:
    """Kill a head and all it started: nothing of it is needed, and an orderly end waits 30 seconds for requests."""
    started = {each.pid for each in psutil.Process(head.pid).children(recursive=True)} if head.poll() is None else set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid in started or os.getsid(process.pid) == head.pid:
                process.kill()
    head.wait(60)
