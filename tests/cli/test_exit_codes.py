"""Exit code and message of each kind of failure; a traceback only with --debug."""

import json
import sys
from pathlib import Path

import pytest

from tests.support.terminal import Trivium, in_own_process, python
from trivium.cli import read

CONFIG = "configs/shop.yaml"


def test_problems_of_a_file_are_listed_one_a_line(project: Path, trivium: Trivium) -> None:
    config = project / CONFIG
    config.write_text(config.read_text().replace("workers: 2", "wrokers: 2").replace("large_from", "large_form"))
    done = trivium("run", "batch", CONFIG)
    assert (done.exit_code, done.stdout) == (2, "")
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [f"{CONFIG}:6:29", f"{CONFIG}:15:3"]
    assert "unknown-option" in done.stderr
    assert "did you mean workers?" in done.stderr


def test_problems_are_json_where_json_was_asked_for(project: Path, trivium: Trivium) -> None:
    (project / CONFIG).write_text("pipeline: 1\n")
    done = trivium("plan", CONFIG, "--format", "json")
    assert (done.exit_code, done.stderr) == (2, "")
    problems = json.loads(done.stdout)["problems"]
    assert {"file", "line", "column", "code", "message"} <= set(problems[0])


def test_a_file_that_is_not_there_is_a_problem(project: Path) -> None:
    done = in_own_process("plan", "configs/shpo.yaml", folder=project)
    assert done.returncode == 2
    assert done.stderr.startswith("configs/shpo.yaml:1:1: unreadable: ")


def test_a_run_that_stops_says_why(project: Path, trivium: Trivium) -> None:
    (project / "data/events/day=2026-01-02/part-0.parquet").write_bytes(b"PAR1 torn")
    done = trivium("run", "batch", CONFIG)
    assert done.exit_code == 1
    assert "expected a whole Parquet file" in done.stderr
    assert "Traceback" not in done.output


def test_half_a_window_is_refused(project: Path, trivium: Trivium) -> None:
    done = trivium("run", "batch", CONFIG, "--from", "2026-01-01")
    assert done.exit_code == 2
    assert "expected --from before --to" in done.stderr


@pytest.mark.parametrize("day", ["2026-13-01", "yesterday"])
def test_a_day_that_is_none_is_refused(day: str, project: Path, trivium: Trivium) -> None:
    done = trivium("plan", CONFIG, "--from", day, "--to", "2026-01-02")
    assert done.exit_code == 2
    assert f"expected a day such as 2013-01-31, got '{day}'" in done.stderr


def test_an_executor_that_cannot_be_imported_is_a_problem(project: Path, trivium: Trivium) -> None:
    executor = project / "executors/order/executor.py"
    executor.write_text(executor.read_text() + "\n1 / 0\n")
    done = trivium("check", CONFIG)
    assert done.exit_code == 2
    assert "executor-import" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.output


def test_an_interrupt_ends_in_130(project: Path) -> None:
    executor = project / "executors/order/executor.py"
    executor.write_text("import os, signal\n\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = in_own_process("check", CONFIG, folder=project)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("asked", [(), ("--debug",)])
def test_a_bug_says_that_it_is_one(
    asked: tuple[str, ...], project: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(read.read, "callback", broken)
    done = trivium(*asked, "read", "tables/shop")
    assert done.exit_code == 1
    assert "KeyError: 'surprise'" in done.stderr
    assert "this is a bug in trivium" in done.stderr
    assert ("Traceback" in done.stderr) is bool(asked)


def test_a_reader_that_went_away_is_no_error_message(ran: Path) -> None:
    command = f"{sys.executable} -m trivium.cli.main read tables/shop --sql duckdb | true"
    script = f"import subprocess, sys; sys.exit(subprocess.run(['sh', '-c', {command!r}]).returncode)"
    assert "BrokenPipe" not in python("-c", script, folder=ran).stderr
