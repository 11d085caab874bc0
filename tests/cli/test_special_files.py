"""Every command that takes a file by its path refuses what is none, and neither waits for a pipe nor reads on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.terminal import Trivium

COMMANDS: dict[str, tuple[str, ...]] = {
    "check": ("check", "{}"),
    "plan": ("plan", "{}"),
    "run batch": ("run", "batch", "{}"),
    "run streaming": ("run", "streaming", "{}"),
    "run serving": ("run", "serving", "{}"),
    "status": ("status", "{}"),
    "read": ("read", "{}"),
    "dead-letters": ("dead-letters", "list", "{}"),
    "maintain": ("maintain", "{}"),
    "retire": ("retire", "{}", "order"),
    "reset-positions": ("reset-positions", "{}", "--to-end"),
    "parity": ("parity", "{}"),
    "parity of a file": ("parity", "configs/shop.yaml", "--input", "{}"),
    "new executor": ("new", "executor", "refund", "--config", "{}"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_it_is_refused_at_once(project: Path, trivium: Trivium, command: str, kind: str) -> None:
    path = project / "odd.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    done = trivium(*(part.format(path) for part in COMMANDS[command]))
    assert done.exit_code in (1, 2)
    said = done.stdout + done.stderr
    assert "expected a regular file, got a" in said
    assert "odd.yaml" in said
    assert "bug in trivium" not in said


def test_samples_without_end_are_refused(project: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trivium.samples.file.MOST_BYTES", 10)
    done = trivium("check", "configs/shop.yaml")
    assert done.exit_code == 1
    assert "samples.jsonl: the file has more than 10 bytes, which is the limit" in done.stderr
