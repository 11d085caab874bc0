"""`ray job submit` the hard way.

The cluster's Python has the dependencies but no trivium; the job is submitted from a copy of the repository, which is
renamed away while the job is queued. So what runs can only be what `--working-dir` and `py_modules` shipped.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from ray.job_submission import JobStatus

from tests.support.bare_cluster import Cluster, ended, write_lookups

COLUMNS = ["event_id", "airline", "temperature_fahrenheit", "_event_type", "_source"]


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


def submit(cluster: Cluster, copy: Path, name: str, *, data: Path, tables: Path) -> None:
    """Submit the batch job and return when it is queued."""
    entrypoint = ["env", f"DATA={data}", f"TABLES={tables}", "python", "jobs/run_batch.py", "configs/flights.yaml"]
    options = ["--address", cluster.address, "--submission-id", name, "--no-wait"]
    shipped = ["--working-dir", ".", "--runtime-env", "jobs/runtime_env.yaml"]
    answer = cluster.ray("job", "submit", *options, *shipped, "--", *entrypoint, cwd=copy)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.timeout(400)
def test_the_job_runs_from_what_was_shipped(
    cluster: Cluster, copy_of_repository: Path, data: Path, tmp_path: Path
) -> None:
    write_lookups(data)
    tables = tmp_path / "tables"
    submit(cluster, copy_of_repository, "flights-1", data=data, tables=tables)
    copy_of_repository.rename(tmp_path / "gone")
    status, log = ended(cluster, "flights-1")
    assert status == JobStatus.SUCCEEDED, log
    table = DeltaTable(str(tables / "flights"))
    rows = table.to_pyarrow_table(columns=COLUMNS).sort_by("event_id").to_pylist()
    assert [(row["event_id"], row["_event_type"]) for row in rows] == [
        ("a", "departure"),
        ("b", "departure"),
        ("c", "cancellation"),
    ]
    assert [row["airline"] for row in rows] == ["United Air Lines Inc."] * 3
    assert [row["temperature_fahrenheit"] for row in rows] == [39.0, None, None]
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
