"""One progress display for a run, counting events: a live bar on a terminal, a line every ten seconds in a file.

Both go on while no unit is finished, with the seconds that went by: workers start, and units may be large.
"""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Final, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from trivium.core.clock import Clock

_LINE_SECONDS: Final = 10.0


class Display(Protocol):
    """Shows how many events of a run have been read."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def advance(self, events: int, rejected: int) -> None:
        """Count more events that were read, and of them those rejected."""


class Bar:
    """A bar on a terminal."""

    def __init__(self, total: int, stream: TextIO) -> None:
        self._rejected = 0
        self._progress = Progress(
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} events"),
            BarColumn(),
            TextColumn("{task.fields[rejected]:,} rejected"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(file=stream),
        )
        self._task: TaskID = self._progress.add_task("events", total=total, rejected=0)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def advance(self, events: int, rejected: int) -> None:
        """Move the bar."""
        self._rejected += rejected
        self._progress.update(self._task, advance=events, rejected=self._rejected)


class Lines:
    """A line every ten seconds, and one at the end."""

    def __init__(self, total: int, stream: TextIO, clock: Clock, seconds: float = _LINE_SECONDS) -> None:
        self._total, self._stream, self._clock, self._seconds = total, stream, clock, seconds
        self._read = self._rejected = 0
        self._started = clock.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="batch-progress", daemon=True)

    def __enter__(self) -> Lines:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self._say()

    def advance(self, events: int, rejected: int) -> None:
        """Count."""
        self._read += events
        self._rejected += rejected

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds):
            self._say()

    def _say(self) -> None:
        seconds = max(self._clock.monotonic() - self._started, 1e-9)
        figures = f"{self._rejected:,} rejected, {self._read / seconds:,.0f}/s"
        if not self._read and self._total:
            figures = f"no unit is finished after {seconds:,.0f} s"
        print(f"{self._read:,} of {self._total:,} events, {figures}", file=self._stream, flush=True)


def display(total: int, clock: Clock) -> Display:
    """Return the display that fits standard error."""
    return Bar(total, sys.stderr) if sys.stderr.isatty() else Lines(total, sys.stderr, clock)
