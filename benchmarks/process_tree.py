"""CPU time and memory of a process and all its descendants, those that end meanwhile included."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import psutil

_INTERVAL_SECONDS: Final = 0.1
_Key = tuple[int, float]


@dataclass(frozen=True)
class Usage:
    """What a stretch of time cost. `peak_bytes` sums resident sets, so shared pages count once a process.

    `others_cpu_seconds` is what the machine spent on everything else meanwhile: wall times suffer from it.
    """

    cpu_seconds: float
    peak_bytes: int
    others_cpu_seconds: float


class TreeMeter:
    """Measures while it is entered: `with TreeMeter(pid) as meter: …`, then `meter.usage()`.

    It looks every tenth of a second: a process that lived shorter than that may be missed, and of one that ended the
    time since the last look is.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._seen: dict[_Key, float] = {}
        self._before: dict[_Key, float] = {}
        self._peak = 0
        self._machine = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TreeMeter:
        self._look()
        self._before = dict(self._seen)
        self._machine = -_machine_seconds()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._look()
        self._machine += _machine_seconds()

    def usage(self) -> Usage:
        """What was used between entering and leaving."""
        spent = sum(self._seen.values()) - sum(self._before.values())
        return Usage(spent, self._peak, max(0.0, self._machine - spent))

    def _watch(self) -> None:
        while not self._done.wait(_INTERVAL_SECONDS):
            self._look()

    def _look(self) -> None:
        memory = 0
        for process in [self._root, *self._root.children(recursive=True)]:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss
                    self._seen[process.pid, process.create_time()] = times.user + times.system
            except psutil.NoSuchProcess:
                continue
        self._peak = max(self._peak, memory)


def _machine_seconds() -> float:
    """CPU seconds the machine has worked since it started."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))
