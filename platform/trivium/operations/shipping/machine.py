"""A machine as a host of runs: Python, packages, cores, memory, disk, open files."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from trivium.operations.shipping.finding import Finding, Level

_GIB: Final = 1 << 30
_LEAST_MEMORY: Final = 1 * _GIB
_LEAST_SHARED: Final = _GIB // 2
_LEAST_DISK: Final = 5 * _GIB
_LEAST_OPEN_FILES: Final = 8_192
_FULL: Final = 0.95
"""Of a disk, from which on Ray refuses to create objects."""


def look_at_machine(workers: int = 1) -> list[Finding]:
    """Look at this machine, which is to host `workers` workers of a runtime."""
    return [_python(), *_packages(), _cores(workers), *_memory(), _disk(), _open_files()]


def _python() -> Finding:
    wanted, here = metadata("trivium")["Requires-Python"], platform.python_version()
    if SpecifierSet(wanted).contains(here, prereleases=True):
        return Finding("python", "ok", here)
    attempt = f"an environment of Python {wanted}"
    return Finding("python", "error", here, "", f"Python {wanted}", attempt)


def _packages() -> Iterator[Finding]:
    """Yield what is not as the package requires it, else one line for all; extras are not looked at."""
    listed = [Requirement(each) for each in requires("trivium") or ()]
    needed = [each for each in listed if each.marker is None or each.marker.evaluate({"extra": ""})]
    fine = True
    for each in needed:
        got = _installed(each.name)
        if got is None or not each.specifier.contains(got, prereleases=True):
            fine = False
            attempt = f"pip install '{each.name}{each.specifier}'"
            yield Finding("packages", "error", got or "none", each.name, f"{each.name}{each.specifier}", attempt)
    if fine:
        yield Finding("packages", "ok", f"{len(needed)} as required")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cores(workers: int) -> Finding:
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if found >= workers:
        return Finding("cores", "ok", str(found))
    expected = f"{workers}, one for each worker of the pipeline"
    return Finding("cores", "warning", str(found), "", expected, "fewer workers, or a cluster: trivium submit")


def _memory() -> Iterator[Finding]:
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="utf-8").splitlines())
        available = int(lines["MemAvailable"].split()[0]) << 10
    yield _least("memory", available, _LEAST_MEMORY, "available", "end other processes, or take a larger machine")
    shared = Path("/dev/shm")
    if shared.is_dir():
        free = shutil.disk_usage(shared).free
        yield _least("shared memory", free, _LEAST_SHARED, str(shared), "docker run --shm-size=2g, or clear it")


def _disk() -> Finding:
    folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    usage = shutil.disk_usage(folder)
    if usage.used > _FULL * (usage.used + usage.free):
        got, expected = f"{_gib(usage.free)} free", f"a disk that is less than {_FULL:.0%} full: Ray stops there"
        return Finding("disk", "error", got, folder, expected, "clear it, or set RAY_TMPDIR and TMPDIR")
    return _least("disk", usage.free, _LEAST_DISK, folder, "clear it, or set RAY_TMPDIR and TMPDIR")


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _LEAST_OPEN_FILES:
        return Finding("open files", "ok", "no limit" if soft == resource.RLIM_INFINITY else f"{soft:,} a process")
    attempt = f"ulimit -n {65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)}"
    return Finding("open files", "warning", f"{soft:,}", "a process", f"{_LEAST_OPEN_FILES:,} or more", attempt)


def _least(check: str, got: int, least: int, where: str, attempt: str) -> Finding:
    level: Level = "ok" if got >= least else "warning"
    return Finding(check, level, f"{_gib(got)} free", where, f"{_gib(least)} or more", attempt)


def _gib(amount: int) -> str:
    return f"{amount / _GIB:.1f} GiB"
