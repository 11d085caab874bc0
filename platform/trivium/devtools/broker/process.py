"""Processes and ports of the development broker: which process is meant, and which port can be had."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trivium.core.clock import Clock, Deadline


@dataclass(frozen=True)
class ProcessId:
    """A process beyond doubt: its number, and when it started, since numbers are given again."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Return the process that has the number now."""
        return cls(pid, _started(pid) or "gone")

    def lives(self) -> bool:
        """Return whether it still runs, stopped or not; a process that ended and waits for its parent does not."""
        return _started(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens where it ended."""
        if self.lives():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def ended(self, within: Deadline, clock: Clock) -> bool:
        """Wait for its end; whether it came in time."""
        while self.lives():
            if within.passed():
                return False
            clock.sleep(0.05)
        return True


def _started(pid: int) -> str | None:
    """Return when a living process started, as its system says it; None if there is none."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    if Path("/proc/self/stat").exists():
        return _started_on_linux(pid)
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, started = subprocess.run(command, capture_output=True, text=True, check=False).stdout.partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _started_on_linux(pid: int) -> str | None:
    try:
        # The program's name stands in parentheses and may hold any character; the state is the first word after it.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # The first thread of a killed process is a zombie before the others are gone, which still hold its ports.
    state, threads, started = fields[0], int(fields[17]), fields[19]
    return None if state in "ZX" and threads <= 1 else f"{boot} {started}"
