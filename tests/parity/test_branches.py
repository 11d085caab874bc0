"""`parity --fast` says which branches of the executors ran, and runs again when they change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.readings import Readings, reading
from tests.support.terminal import Trivium

ARMS = """
        if event.value > 100:
            event_text = "high"
        else:
            event_text = "low"
        for letter in event.text:
            if letter == "q":
                break
        if not event_text: return None
        try:
            int(event.text)
        except ValueError:
            event_text += " word"
        match event.text:
            case "ab1":
                event_text += " known"
            case _:
                event_text += " unknown"
"""
LIMIT_SECONDS = 30.0


@pytest.fixture
def project(tmp_path: Path) -> Readings:
    made = Readings(tmp_path).write("off")
    text = made.executor.read_text()
    text = text.replace("        import colorsys\n", f"{ARMS}        import colorsys\n", 1)
    made.executor.write_text(text)
    return made


def lines(project: Readings, *texts: str) -> Path:
    path = project.root / "events.jsonl"
    path.write_text("".join(json.dumps(reading(f"e{at}", text=text)) + "\n" for at, text in enumerate(texts)))
    return path


def branches(output: str) -> list[str]:
    """The lines of the terminal's branches."""
    rows = [line for line in output.splitlines() if line.strip()]
    start = next(at for at, line in enumerate(rows) if line.startswith("branches"))
    stop = next(at for at in range(start + 1, len(rows)) if not rows[at].startswith(" "))
    return [row.removeprefix("branches").strip() for row in rows[start:stop]]


def test_arms_that_never_ran_are_named_with_their_line(project: Readings) -> None:
    html = project.root / "parity.html"
    command = ("parity", str(project.config), "--fast", "--input", str(lines(project, "ab1", "other")))
    done = Trivium()(*command, "--html", str(html))
    assert done.exit_code == 0, done.output
    file = "executors/reading/executor.py"
    at = {text.strip(): n for n, text in enumerate(project.executor.read_text().splitlines(), 1)}
    never = ["if event.value > 100:", 'if letter == "q":', "if event.value < 0:", "if event.file is not None:"]
    found = branches(done.stdout)
    assert found[0].endswith("of the executors' arms ran")
    assert {f"{file}:{at[text]}: if, never true" for text in never} <= set(found[1:])
    assert not any("for, " in each or "case, " in each for each in found[1:])
    assert "if, never true" in html.read_text()


def test_more_inputs_reach_more_arms(project: Readings) -> None:
    def unseen(*texts: str) -> list[str]:
        done = Trivium()("parity", str(project.config), "--fast", "--input", str(lines(project, *texts)))
        assert done.exit_code == 0, done.output
        return branches(done.stdout)[1:]

    assert any("case, never taken" in each for each in unseen("ab1"))
    assert any("except, never taken" in each for each in unseen("12"))
    assert not any("never taken" in each for each in unseen("ab1", "12", "q"))


@pytest.fixture
def watching(project: Readings) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "trivium.cli.main", "parity", str(project.config), "--fast", "--watch"]
    command += ["--input", str(lines(project, "ab1"))]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=project.root, env={**os.environ})
    yield running
    if running.poll() is None:
        running.kill()
    running.communicate()


def verdict(running: subprocess.Popen[str]) -> str:
    """The next verdict; what is printed up to the note that files are watched is read."""
    assert running.stdout is not None
    found, end = "", time.monotonic() + LIMIT_SECONDS
    for line in running.stdout:
        found = line.strip() if "arity" in line and line.strip().endswith("inputs.") else found
        if line.startswith("watching") or time.monotonic() > end:
            break
    return found


@pytest.mark.timeout(120)
def test_it_runs_again_when_an_executor_or_the_input_changes(
    project: Readings, watching: subprocess.Popen[str]
) -> None:
    assert verdict(watching) == "Parity holds: records, requests, columns made the same of 1 inputs."
    lines(project, "ab1", "ab2")
    assert verdict(watching) == "Parity holds: records, requests, columns made the same of 2 inputs."
    project.executor.write_text(project.executor.read_text() + "\n# changed\n")
    assert verdict(watching) == "Parity holds: records, requests, columns made the same of 2 inputs."
    watching.send_signal(signal.SIGINT)
    assert watching.wait(LIMIT_SECONDS) == 0


def test_the_real_runtimes_are_not_watched(project: Readings) -> None:
    done = Trivium()("parity", str(project.config), "--watch")
    assert done.exit_code == 2
    assert "--watch is for --fast" in done.stderr
