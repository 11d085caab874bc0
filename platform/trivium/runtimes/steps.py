"""Steps of a start, each named as it begins, so that no one waits before a silent terminal.

They are plain lines on standard error, on a terminal and in a file alike. What takes long shows its figures later.
"""

from __future__ import annotations

import sys


def begin(step: str) -> None:
    """Say what is being done from now on, such as `starting Ray`."""
    print(f"{step} …", file=sys.stderr, flush=True)  # noqa: T201 - a person waits for it


def many(count: int, noun: str) -> str:
    """Return a count with its noun, such as `2 workers`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
