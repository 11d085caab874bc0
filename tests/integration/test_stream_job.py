"""A stream as a submitted job: stopped, submitted again, submitted twice, killed; each offset is accounted for once.

As hard as `test_job_submit`: the cluster's Python has no trivium, and the repository is renamed away while jobs run.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import Producer
from deltalake import DeltaTable
from ray.job_submission import JobStatus, JobSubmissionClient

from tests.support.audit import audit
from tests.support.bare_cluster import Cluster, ended, write_lookups
from trivium.devtools.broker.broker import DevBroker

pytestmark = pytest.mark.faults

SLOW_TO_STOP = """
import pathlib, signal, sys, time
def drain(*_):
    time.sleep(6)
    pathlib.Path(sys.argv[1]).touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
print("ready", flush=True)
time.sleep(600)
"""


@dataclass
class StreamJobs:
    """Submits the flights' stream from a copy of the repository that is elsewhere meanwhile."""

    cluster: Cluster
    copy: Path
    folder: Path
    servers: str
    jobs: list[str] = field(default_factory=list)
    produced: int = 0

    def submit(self, *arguments: str, runtime_env: str = "jobs/runtime_env.yaml") -> str:
        """Submit a job; its id."""
        variables = {"DATA": self.folder, "TABLES": self.folder / "tables", "KAFKA": self.servers}
        environ = ["env", *(f"{name}={value}" for name, value in variables.items())]
        program = [*environ, "python", "jobs/run_streaming.py", "configs/flights.yaml", *arguments]
        return self.submit_program(program, runtime_env)

    def submit_program(self, program: list[str], runtime_env: str = "jobs/runtime_env.yaml") -> str:
        """Submit any program; its id."""
        name = f"stream-{self.folder.name}-{len(self.jobs)}"
        away = self.copy.with_name("away")
        if away.exists():
            away.rename(self.copy)
        options = ["--address", self.cluster.address, "--submission-id", name, "--no-wait"]
        shipped = ["--working-dir", ".", "--runtime-env", runtime_env]
        answer = self.cluster.ray("job", "submit", *options, *shipped, "--", *program, cwd=self.copy)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        self.copy.rename(away)
        self.jobs.append(name)
        return name

    def stop(self, name: str) -> tuple[JobStatus, str]:
        """`ray job stop`; the job's last status and its log."""
        answer = self.cluster.ray("job", "stop", "--address", self.cluster.address, name, cwd=self.folder)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return ended(self.cluster, name)

    def stop_all(self) -> None:
        """Stop what still runs."""
        client = JobSubmissionClient(self.cluster.address)
        for name in self.jobs:
            if not client.get_job_status(name).is_terminal():
                client.stop_job(name)
                ended(self.cluster, name)

    def produce(self, count: int) -> None:
        """Departures, and now and then a record that is none."""
        producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 5})
        for number in range(self.produced, self.produced + count):
            producer.produce("flights", value=departure(number), key=str(number))
        assert producer.flush(30) == 0
        self.produced += count

    def read(self) -> int:
        """How many offsets the table has passed."""
        path = self.folder / "tables" / "flights"
        if not DeltaTable.is_deltatable(str(path)):
            return 0
        table = DeltaTable(str(path))
        return sum(table.transaction_version(f"flights/flights/{number}") or 0 for number in range(2))

    def wait_until_read(self, job: str) -> None:
        """Wait until everything produced is committed."""
        client = JobSubmissionClient(self.cluster.address)
        wait(lambda: self.read() == self.produced, lambda: f"{self.read()} of {self.produced}: {log_of(client, job)}")

    def check(self) -> None:
        """Every offset is in the table or a dead letter, once."""
        tables = self.folder / "tables"
        found = audit(str(tables / "flights"), str(tables / "flights_dead_letters"), {"flights": self.produced})
        assert not found.problems, found.problems
        assert (found.duplicates, found.missing) == (0, 0), found
        assert found.in_table + found.dead_letters == self.produced, found


@pytest.fixture
def jobs(cluster: Cluster, copy_of_repository: Path, tmp_path: Path, kafka_broker: DevBroker) -> Iterator[StreamJobs]:
    write_lookups(tmp_path)
    with kafka_broker.admin() as admin:
        topic = {"num_partitions": 2, "replication_factor": 1}
        admin.create_topics({"flights": topic}, wait_for_metadata=True)
    made = StreamJobs(cluster, copy_of_repository, tmp_path, kafka_broker.servers)
    try:
        yield made
    finally:
        made.stop_all()
        with kafka_broker.admin() as admin:
            admin.delete_topics(["flights"])
        wait(lambda: "flights" not in {each.name for each in kafka_broker.topics()}, lambda: "the topic is not gone")


@pytest.mark.timeout(600)
def test_stopped_submitted_again_and_submitted_twice(jobs: StreamJobs) -> None:
    jobs.produce(500)
    first = jobs.submit()
    jobs.wait_until_read(first)
    jobs.produce(200)
    status, log = jobs.stop(first)
    assert status == JobStatus.STOPPED, log
    assert "Traceback" not in log

    second = jobs.submit()
    jobs.produce(300)
    jobs.wait_until_read(second)
    third = jobs.submit()
    status, log = ended(jobs.cluster, second)
    assert status == JobStatus.FAILED, log
    assert "a newer run of this pipeline took over" in log
    assert "Traceback" not in log
    jobs.produce(300)
    jobs.wait_until_read(third)
    status, log = jobs.stop(third)
    assert status == JobStatus.STOPPED, log
    jobs.check()


@pytest.mark.timeout(300)
def test_a_stop_waits_as_long_as_the_runtime_environment_says(jobs: StreamJobs) -> None:
    """Ray kills a job three seconds after it asked; the variable in jobs/runtime_env.yaml reaches the supervisor."""
    flag = jobs.folder / "drained"
    job = jobs.submit_program(["python", "-c", SLOW_TO_STOP, str(flag)])
    client = JobSubmissionClient(jobs.cluster.address)
    wait(lambda: "\nready\n" in client.get_job_logs(job), lambda: log_of(client, job))
    jobs.stop(job)
    assert flag.exists(), "the job was killed while it drained"


@pytest.mark.timeout(400)
def test_a_stop_that_kills(jobs: StreamJobs) -> None:
    """The bound is shorter than a drain: the driver is killed with epochs under way, and the next one goes on."""
    hasty = jobs.copy / "jobs" / "hasty.yaml"
    text = (jobs.copy / "jobs" / "runtime_env.yaml").read_text()
    before, name, _ = text.partition("RAY_JOB_STOP_WAIT_TIME_S: ")
    assert name, "jobs/runtime_env.yaml sets the time a stop may take"
    hasty.write_text(f'{before}{name}"0"\n')
    job = jobs.submit(runtime_env="jobs/hasty.yaml")
    jobs.produce(2_000)
    wait(lambda: jobs.read() > 0, lambda: "nothing was read")
    jobs.produce(2_000)
    jobs.stop(job)
    last = jobs.submit("--until-caught-up")
    status, log = ended(jobs.cluster, last)
    assert status == JobStatus.SUCCEEDED, log
    jobs.check()


def departure(number: int) -> bytes:
    """A record of the flights topic; every fiftieth is malformed."""
    if number % 50 == 49:
        return b"no departure"
    return json.dumps(
        {
            "event_type": "departure",
            "flight_id": f"f{number}",
            "scheduled": "2013-01-01T10:15:00Z",
            "delay_minutes": number % 60,
            "carrier": "UA",
            "flight_number": 1,
            "origin": "EWR",
            "destination": "IAH",
            "distance_miles": 1400,
        }
    ).encode()


def wait(condition: Callable[[], object], otherwise: Callable[[], str], seconds: float = 120.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.5)


def log_of(client: JobSubmissionClient, job: str) -> str:
    """A job's status and log, for a failure's message."""
    return f"{client.get_job_status(job)}: {client.get_job_logs(job)}"
