"""The HAProxy that listens on a port, and the addresses it listens on."""

from __future__ import annotations

import contextlib
from pathlib import Path


def haproxy_of(port: int) -> Path:
    """The process of the HAProxy that listens on a port."""
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it has ended
            command = (process / "cmdline").read_text().split("\0") if process.name.isdigit() else []
            if "-f" in command and f"bind 127.0.0.1:{port}\n" in Path(command[command.index("-f") + 1]).read_text():
                return process
    raise LookupError(f"nobody listens on {port}")


def listening(process: Path) -> set[str]:
    """The addresses a process listens on."""
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    owned = {link.readlink().name for link in (process / "fd").iterdir()}
    return {fields[1].partition(":")[0] for fields in sockets if fields[3] == "0A" and f"socket:[{fields[9]}]" in owned}
