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
    """What a stretch of time cost. `peak_bytes` sums resident sets, so shared pages count once a process."""

    cpu_seconds: float
    peak_bytes: int


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
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TreeMeter:
        self._look()
        self._before = dict(self._seen)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def usage(self) -> Usage:
        """CPU seconds since entering, and the most memory seen."""
        return Usage(sum(self._seen.values()) - sum(self._before.values()), self._peak)

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
