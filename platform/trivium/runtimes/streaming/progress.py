"""One progress line for a stream: rate, lag in seconds and events, committed rows, dead letters.

Until the first record is read it says how many workers have started instead.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Final, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from trivium.core.clock import Clock
from trivium.runtimes.steps import many

_LINE_SECONDS: Final = 10.0
_RATE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Progress:
    """Progress of a stream. `lag_seconds`: the age of the newest committed record is while events wait; None: unknown.

    `ready` of `workers` have started.
    """

    read: int
    rows: int
    dead_letters: int
    lag_events: int | None
    lag_seconds: float | None
    workers: int = 0
    ready: int = 0


class ProgressLine:
    """The display of progress: a live line on a terminal, a line every ten seconds in a file, and one at the end."""

    def __init__(self, clock: Clock, stream: TextIO | None = None) -> None:
        self._clock, self._stream = clock, stream or sys.stderr
        self._live = Live(console=Console(file=self._stream), transient=False) if self._stream.isatty() else None
        self._points: deque[tuple[float, int]] = deque()
        self._began = self._said = clock.monotonic()
        self._last = self._printed = ""

    def __enter__(self) -> ProgressLine:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.stop()
        else:
            self._say()

    def show(self, progress: Progress) -> None:
        """Show where the stream stands now."""
        now = self._clock.monotonic()
        self._points.append((now, progress.read))
        while now - self._points[0][0] > _RATE_SECONDS:
            self._points.popleft()
        self._last = self._line(progress)
        if self._live:
            self._live.update(Text(self._last))
        elif now - self._said >= _LINE_SECONDS:
            self._said = now
            self._say()

    def _say(self) -> None:
        if self._last != self._printed:
            print(self._last, file=self._stream, flush=True)
            self._printed = self._last

    def _line(self, progress: Progress) -> str:
        if not progress.read and progress.ready < progress.workers:
            seconds = self._clock.monotonic() - self._began
            return f"starting {many(progress.workers, 'worker')}, {progress.ready} ready after {seconds:,.0f} s"
        (first, before), (last, after) = self._points[0], self._points[-1]
        rate = (after - before) / (last - first) if last > first else 0.0
        return (
            f"{rate:,.0f} events/s, {_lag(progress)}, "
            f"{progress.rows:,} rows committed, dead letters {progress.dead_letters:,}{_missing(progress)}"
        )


def _lag(progress: Progress) -> str:
    if progress.lag_events is None:
        return "lag not known yet"
    # Of a partition that nothing was committed of, no record's time is known.
    seconds = "" if progress.lag_seconds is None else f"{progress.lag_seconds:,.1f} s and "
    return f"lag {seconds}{progress.lag_events:,} events"


def _missing(progress: Progress) -> str:
    missing = progress.workers - progress.ready
    return f", {missing} of {many(progress.workers, 'worker')} not ready" if missing > 0 else ""
