"""`ray job submit` the hard way.

The cluster's Python has the dependencies but no trivium; the job is submitted from a copy of the repository, which is
renamed away while the job is queued. So what runs can only be what `--working-dir` and `py_modules` shipped.
"""

import os
import shutil
import socket
import subprocess
import sysconfig
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from ray.job_submission import JobStatus, JobSubmissionClient


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster under a Python without trivium: its Jobs address, that Python, the environment to call it in."""

    address: str
    python: str
    environ: dict[str, str]

    def ray(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """The `ray` command of that Python."""
        command = [self.python, "-m", "ray.scripts.scripts", *arguments]
        return subprocess.run(
            command, cwd=cwd, env=self.environ, text=True, capture_output=True, timeout=180, check=False
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environ() -> dict[str, str]:
    """The environment without what could lead to this checkout or to another cluster."""
    foreign = ("PYTHON", "RAY_", "VIRTUAL")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that sees this environment's packages but not what is installed editable into it."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = folder / "bin" / "python"
    command = [python, "-c", "import ray, deltalake; import trivium"]
    answer = subprocess.run(command, env=clean_environ(), capture_output=True, text=True, check=False)
    assert "No module named 'trivium'" in answer.stderr
    return python


@pytest.fixture(scope="module")
def cluster(bare_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    port, dashboard = free_port(), free_port()
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RAY_", "VIRTUAL"))
    }
    environ = {**inherited, "PATH": f"{bare_python.parent}:{os.environ['PATH']}", "RAY_AUTH_MODE": "disabled"}
    started = Cluster(f"http://127.0.0.1:{dashboard}", str(bare_python), environ)
    home = tmp_path_factory.mktemp("cwd")
    options = [
        *("--port", str(port), "--dashboard-port", str(dashboard), "--dashboard-host", "127.0.0.1"),
        *("--node-ip-address", "127.0.0.1", "--ray-client-server-port", str(free_port())),
        # The agent that takes jobs has a fixed port by default, which another Ray on this machine may hold.
        *("--dashboard-agent-listen-port", str(free_port()), "--metrics-export-port", str(free_port())),
        *("--num-cpus", "2", "--block", "--disable-usage-stats"),
    ]
    command = [started.python, "-m", "ray.scripts.scripts", "start", "--head", *options]
    with (home / "ray.log").open("w") as log:
        head = subprocess.Popen(command, cwd=home, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for_jobs_api(dashboard, head)
        yield started
    finally:
        head.terminate()
        head.wait(60)


def wait_for_jobs_api(port: int, head: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        assert head.poll() is None, "the cluster did not start"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    pytest.fail("the Jobs API did not open its port in 90 s")


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


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two days of flights: departures with a plane and without, a cancellation, and a record that is no JSON."""
    folder = tmp_path / "data"
    common = '"carrier":"UA","flight_number":1,"origin":"EWR","destination":"IAH","distance_miles":1400'
    days = {
        "2013-01-01": [
            f'{{"event_type":"departure","flight_id":"a","scheduled":"2013-01-01T10:15:00Z","tail_number":"N1",'
            f'"delay_minutes":2,{common}}}',
            f'{{"event_type":"departure","flight_id":"b","scheduled":"2013-01-01T11:15:00Z","delay_minutes":40,{common}}}',
        ],
        "2013-01-02": [
            f'{{"event_type":"cancellation","flight_id":"c","scheduled":"2013-01-02T10:15:00Z",{common}}}',
            "no json",
        ],
    }
    for day, lines in days.items():
        path = folder / "raw" / f"day={day}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"value": pa.array([line.encode() for line in lines], pa.binary())}), path)
    return folder


def write_lookups(folder: Path, flights: Path) -> None:
    """The published planes and airports, if the demo's data is there, else the few rows the test needs."""
    for name in ("planes.parquet", "airports.parquet"):
        shutil.copy(flights / name, folder / name)


def submit(cluster: Cluster, copy: Path, name: str, *, data: Path, tables: Path) -> None:
    """Submit the batch job; returns when it is queued."""
    entrypoint = ["env", f"DATA={data}", f"TABLES={tables}", "python", "jobs/run_batch.py", "configs/flights.yaml"]
    options = ["--address", cluster.address, "--submission-id", name, "--no-wait"]
    shipped = ["--working-dir", ".", "--runtime-env", "jobs/runtime_env.yaml"]
    answer = cluster.ray("job", "submit", *options, *shipped, "--", *entrypoint, cwd=copy)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def ended(cluster: Cluster, name: str) -> tuple[JobStatus, str]:
    """The job's last status and its log."""
    client = JobSubmissionClient(cluster.address)
    end = time.monotonic() + 240
    while not (status := client.get_job_status(name)).is_terminal():
        assert time.monotonic() < end, "the job did not end in time"
        time.sleep(0.5)
    return status, client.get_job_logs(name)


@pytest.mark.timeout(400)
def test_the_job_runs_from_what_was_shipped(
    cluster: Cluster, copy_of_repository: Path, data: Path, tmp_path: Path, flights: Path
) -> None:
    write_lookups(data, flights)
    tables = tmp_path / "tables"
    submit(cluster, copy_of_repository, "flights-1", data=data, tables=tables)
    copy_of_repository.rename(tmp_path / "gone")
    status, log = ended(cluster, "flights-1")
    assert status == JobStatus.SUCCEEDED, log
    table = DeltaTable(str(tables / "flights"))
    rows = table.to_pyarrow_table(columns=["event_id", "_event_type", "_source"]).sort_by("event_id").to_pylist()
    assert [(row["event_id"], row["_event_type"]) for row in rows] == [
        ("a", "departure"),
        ("b", "departure"),
        ("c", "cancellation"),
    ]
    assert rows[2]["_source"] == "day=2013-01-02/part-0.parquet"


@pytest.mark.timeout(400)
def test_a_relative_path_is_refused_in_a_job(cluster: Cluster, copy_of_repository: Path) -> None:
    options = ["--address", cluster.address, "--submission-id", "flights-2", "--no-wait"]
    shipped = ["--working-dir", ".", "--runtime-env", "jobs/runtime_env.yaml"]
    entrypoint = ["python", "jobs/run_batch.py", "configs/flights.yaml"]
    answer = cluster.ray("job", "submit", *options, *shipped, "--", *entrypoint, cwd=copy_of_repository)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    status, log = ended(cluster, "flights-2")
    assert status == JobStatus.FAILED, log
    assert "path-relative-in-job" in log
    assert "Traceback" not in log
