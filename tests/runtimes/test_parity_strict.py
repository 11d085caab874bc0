"""`trivium parity` under `purity: strict`: a pure executor, one impure in a library, one by its sources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests, too
from tests.support.readings import Readings, reading
from tests.support.terminal import Trivium, in_own_process


@pytest.fixture
def project(tmp_path: Path) -> Readings:
    return Readings(tmp_path).write()


def lines(project: Readings, *files: str | None) -> str:
    """A file of events, one for each; those with a file have it read."""
    path = project.root / "events.jsonl"
    events = [reading(f"e{number}", file=file) for number, file in enumerate(files)]
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    return str(path)


def test_what_a_pure_executor_may_do_is_the_same_in_both_ways(project: Readings) -> None:
    done = Trivium()("parity", str(project.config), "--fast", "--input", lines(project, None, None))
    assert done.exit_code == 0, done.output
    assert "Parity holds: records, requests, columns made the same of 2 inputs." in done.stdout
    assert "impure" not in done.stdout


def test_an_impure_call_is_a_reject_that_is_counted(project: Readings) -> None:
    done = Trivium()("parity", str(project.config), "--fast", "--input", lines(project, None, "x.ini", "y.ini"))
    assert done.exit_code == 0, done.output
    assert "Parity holds: records, requests, columns made the same of 3 inputs." in done.stdout
    assert "process: impure (2)" in done.stdout


def test_an_executor_that_is_impure_by_its_sources_is_named_with_its_line(project: Readings) -> None:
    text = project.executor.read_text()
    project.executor.write_text(text.replace("configparser.ConfigParser().read(event.file)", "open(event.file)"))
    done = Trivium()("parity", str(project.config), "--fast", "--input", lines(project, None))
    assert (done.exit_code, done.stdout) == (2, "")
    assert ": executor-impure: executors/reading/executor.py:53: open: it reads or writes files" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.faults
def test_the_three_runtimes(project: Readings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the guard of each: a legal event is a row, and one that has a file read is a reject, everywhere."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    project.archive([reading("a")])
    file = lines(project, None, "x.ini", None)
    done = in_own_process("parity", str(project.config), "--input", file, folder=project.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Parity holds: batch, streaming, serving made the same of 3 inputs." in done.stdout
    assert "process: impure (1)" in done.stdout
