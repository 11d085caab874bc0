"""`purity` in whole runs of each runtime: an executor that reads a file, by its sources and through a library."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import ray._private.worker

from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests, too
from tests.support.readings import SAID, Readings, reading
from tests.support.serving_services import RunningService
from tests.support.terminal import Trivium
from tests.support.visits import in_this_process
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import topic_maker

RUNTIMES = {"batch": ("batch",), "streaming": ("streaming", "--until-caught-up")}
PLACE = "executors/reading/executor.py:53"


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """A command configures Trivium's logger for its own process, which this one is not."""
    logger = logging.getLogger("trivium")
    before = (logger.handlers[:], logger.propagate, logger.level)
    yield
    logger.handlers[:], logger.propagate, level = before
    logger.setLevel(level)


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, kafka_broker: DevBroker, ray_cluster: str) -> Readings:
    """Four events in the archive and in the topic; two of them have a file read."""
    # Errors shorten what is long, and the path of a file that was read is quoted in them.
    made = Readings(tmp_path_factory.mktemp("p"), kafka_broker.servers, topic_maker(kafka_broker)(1)).write()
    events = asked(made)
    made.archive(events)
    made.produce(events)
    return made


def asked(project: Readings) -> list[dict[str, object]]:
    file = str(project.root / "facts.ini")
    return [reading("a"), reading("b", file=file), reading("c", file=file), reading("d")]


def run(project: Readings, runtime: str) -> str:
    """What a run printed that went well."""
    command, *options = RUNTIMES[runtime]
    done = Trivium()("run", command, str(project.config), *options)
    assert done.exit_code == 0, done.output
    return done.stdout


def warnings(project: Readings, logs: Path) -> list[str]:
    """What workers said of this project's files, on whatever cluster below this folder."""
    lines = [line for file in logs.rglob("*.err") for line in file.read_text(errors="replace").splitlines()]
    return [line for line in lines if str(project.root) in line]


def session_logs() -> Path:
    return Path(ray._private.worker.global_worker.node.get_logs_dir_path())  # noqa: SLF001 - has no public name


@pytest.mark.parametrize("runtime", list(RUNTIMES))
def test_strict_makes_dead_letters_of_those_events_and_of_no_other(project: Readings, runtime: str) -> None:
    printed = run(project, runtime)
    assert "2 dead letters; see: trivium dead-letters list" in printed
    assert [(row["event_id"], row["said"]) for row in project.rows(runtime)] == [("a", SAID), ("d", SAID)]
    for letter, event in zip(project.letters(runtime), asked(project)[1:3], strict=True):
        assert (letter["stage"], letter["reason"], letter["attempts"]) == ("process", "impure", 1)
        assert json.loads(letter["value"]) == event
        assert letter["error"] == (
            f"ImpureError: the executor of reading does I/O: open('{project.root / 'facts.ini'}') at "
            f"{project.root / PLACE}. Try: declare the file as an artifact and read it in open()"
        )


@pytest.mark.parametrize("runtime", list(RUNTIMES))
def test_warn_says_it_once_in_the_workers_log_and_goes_on(project: Readings, runtime: str) -> None:
    project.configure("warn")
    run(project, runtime)
    assert [(row["event_id"], row["said"]) for row in project.rows(runtime)] == [(name, SAID) for name in "abcd"]
    assert project.letters(runtime) == []
    (line,) = warnings(project, session_logs())
    said = json.loads(line)
    assert said["message"].startswith("the executor of reading does I/O: open(")
    assert (said["level"], said["pipeline"], said["executor"]) == ("warning", "readings", "the executor of reading")


@pytest.mark.parametrize("runtime", list(RUNTIMES))
def test_off_does_nothing(project: Readings, runtime: str) -> None:
    project.configure("off")
    run(project, runtime)
    assert [(row["event_id"], row["said"]) for row in project.rows(runtime)] == [(name, SAID) for name in "abcd"]
    assert project.letters(runtime) == []
    assert warnings(project, session_logs()) == []


def test_a_run_that_is_impure_for_most_events_stops_and_changes_nothing(tmp_path: Path) -> None:
    project = Readings(tmp_path).write()
    file = str(tmp_path / "facts.ini")
    project.config.write_text(f"breaker: {{window_events: 100}}\n{project.config.read_text()}")
    project.archive([reading(f"e{number}", file=file) for number in range(200)])
    with in_this_process():
        done = Trivium()("run", "batch", str(project.config))
    assert done.exit_code == 1, done.output
    assert "rejects are systemic: 200 of the last 200 inputs (100%)" in done.stderr
    assert "event type reading, stage process, reason impure" in done.stderr
    assert "Traceback" not in done.output
    assert project.rows("batch") == project.letters("batch") == []


@pytest.mark.parametrize("runtime", ["batch", "streaming", "serving"])
def test_strict_starts_no_executor_whose_sources_read_a_file(tmp_path: Path, runtime: str) -> None:
    project = Readings(tmp_path).write()
    text = project.executor.read_text()
    project.executor.write_text(text.replace("configparser.ConfigParser().read(event.file)", "open(event.file)"))
    done = Trivium()("run", runtime, str(project.config))
    assert done.exit_code == 2
    place = "executors/reading/executor.py:53: open: it reads or writes files"
    assert f": executor-impure: {place} (declare the file as an artifact and read it in open())" in done.stderr
    assert not (tmp_path / "tables").exists()


@pytest.mark.faults
def test_a_service_with_each_setting(tmp_path: Path) -> None:
    project = Readings(tmp_path).write()
    # Ray's sockets lie below it too, and their names may not be long.
    with TemporaryDirectory() as logs, RunningService(project.config, RAY_TMPDIR=logs) as service:
        events = service.post(asked(project)).json()["events"]
        assert [each["outcome"] for each in events] == ["emitted", "rejected", "rejected", "emitted"]
        assert [each["rows"][0]["said"] for each in (events[0], events[3])] == [SAID, SAID]
        assert {(each["stage"], each["reason"]) for each in events[1:3]} == {("process", "impure")}
        assert all(f"{project.root / PLACE}. Try: " in each["error"] for each in events[1:3])
        assert service.post(reading("b", file="x")).json()["events"][0]["reason"] == "impure"
        for purity, warned in (("warn", 1), ("off", 1)):
            project.configure(purity)
            service.redeploy()
            events = service.post(asked(project)).json()["events"]
            assert [each["rows"][0]["said"] for each in events] == [SAID] * 4
            assert len(warnings(project, Path(logs))) == warned
        service.ask_to_stop()
        assert service.ended() == 0
