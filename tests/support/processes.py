"""Processes to stop, wake and kill, and things to wait for."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def until(condition: Callable[[], object], what: str, seconds: float = 90.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds:g} s: {what}"
        time.sleep(0.05)


def stopped(pid: int) -> bool:
    """Whether a process is stopped by SIGSTOP."""
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def alive(pid: int) -> bool:
    """Whether there is such a process, a zombie aside."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def stop(process: subprocess.Popen[str]) -> None:
    """SIGSTOP, and wait until it holds."""
    process.send_signal(signal.SIGSTOP)
    until(lambda: stopped(process.pid), "the process is stopped", 10)


def wake(*pids: int) -> None:
    """SIGCONT."""
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def workers_of(root: Path, *drivers: subprocess.Popen[str]) -> list[int]:
    """The living processes that loaded a project's executor, its drivers aside."""
    found = {int(path.name) for path in (root / "pids").glob("*")} - {driver.pid for driver in drivers}
    return sorted(pid for pid in found if alive(pid))
