"""Runs that were killed: what is left of their proxies is ended before it can keep a port from the next run."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trivium.runtimes.serving.proxy.launcher import started

_END_SECONDS: Final = 5.0
SETTINGS: Final = "proxy.json"


def owner_of_this_run() -> dict[str, object]:
    """Return what tells this process from all others, dead ones of its number included."""
    return {"pid": os.getpid(), "started": started(os.getpid())}


def end_orphans(parent: Path, prefix: str) -> list[int]:
    """End the proxies of runs that have ended, and remove those runs' folders; the processes that were ended.

    A process counts as such a proxy if it is ours and its configuration lies in the folder of a run whose owner is
    gone.
    """
    ended: list[int] = []
    for folder in parent.glob(prefix + "*"):
        if not _is_ours(folder) or not _is_over(folder):
            continue
        for pid in _proxies_of(folder):
            _end(pid)
            ended.append(pid)
        shutil.rmtree(folder, ignore_errors=True)
    return ended


def _end(pid: int) -> None:
    """End a process and wait until it has: until then it keeps its port."""
    with contextlib.suppress(ProcessLookupError):
        watched = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(watched, signal.SIGKILL)
            select.select([watched], [], [], _END_SECONDS)
        finally:
            os.close(watched)


def _is_ours(folder: Path) -> bool:
    try:
        return folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
    except OSError:
        return False


def _is_over(folder: Path) -> bool:
    """Return whether the run that this folder belongs to has ended; a folder that does not say is left alone."""
    try:
        owner = json.loads((folder / SETTINGS).read_text())["owner"]
        return bool(started(int(owner["pid"])) != owner["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _proxies_of(folder: Path) -> Iterator[int]:
    """Find the processes of ours that read their configuration from this folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            config = words[words.index(b"-f") + 1]
            if process.stat().st_uid == os.getuid() and config.startswith(bytes(folder) + b"/"):
                yield int(process.name)
        except (OSError, ValueError, IndexError):
            continue
