"""One progress display for a run, counting events: a live bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from trivium.contract.clock import Clock

_LINE_SECONDS: Final = 10.0


class Display(Protocol):
    """Shows how many events of a run have been read."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def advance(self, events: int, rejected: int) -> None:
        """Some more events were read, of which some were rejected."""


class Bar:
    """A bar on a terminal."""

    def __init__(self, total: int, stream: TextIO) -> None:
        self._rejected = 0
        self._progress = Progress(
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} events"),
            BarColumn(),
            TextColumn("{task.fields[rejected]:,} rejected"),
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
    """A line at most every ten seconds, and one at the end."""

    def __init__(self, total: int, stream: TextIO, clock: Clock) -> None:
        self._total, self._stream, self._clock = total, stream, clock
        self._read = self._rejected = 0
        self._started = self._said = clock.monotonic()

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._say()

    def advance(self, events: int, rejected: int) -> None:
        """Count, and say so if it is time."""
        self._read += events
        self._rejected += rejected
        if self._clock.monotonic() - self._said >= _LINE_SECONDS:
            self._say()

    def _say(self) -> None:
        self._said = self._clock.monotonic()
        seconds = max(self._said - self._started, 1e-9)
        print(
            f"{self._read:,} of {self._total:,} events, {self._rejected:,} rejected, {self._read / seconds:,.0f}/s",
            file=self._stream,
            flush=True,
        )


def display(total: int, clock: Clock) -> Display:
    """The display that fits standard error."""
    return Bar(total, sys.stderr) if sys.stderr.isatty() else Lines(total, sys.stderr, clock)
