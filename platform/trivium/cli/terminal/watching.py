"""Running a command again whenever a project's files change."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from trivium.config.paths import project_root

_POLL_SECONDS = 0.2
_ENDINGS = (".py", ".jsonl", ".yaml", ".yml")
_CLEAR = "\x1b[2J\x1b[H"


def watch(command: Sequence[str], config: Path, others: Iterable[Path]) -> None:
    """Run a command, and again when a file of `executors/`, the pipeline file or one of the others changes.

    It ends with Ctrl-C. Each run is a process of its own, which sees the files as they are then.
    """
    try:
        while True:
            before = _times(config, others)
            if sys.stdout.isatty():
                click.echo(_CLEAR, nl=False)
            subprocess.run(command, check=False)
            click.echo("\nwatching executors/ and the pipeline file; Ctrl-C ends it")
            while _times(config, others) == before:
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        click.echo()


def _times(config: Path, others: Iterable[Path]) -> dict[Path, int]:
    """Return when each file was last written; a file that is gone has no time."""
    root = project_root(config)
    below = [path for path in (root / "executors").rglob("*") if path.suffix in _ENDINGS] if root else []
    times = {}
    for path in (config, *others, *below):
        try:
            times[path] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
    return times
