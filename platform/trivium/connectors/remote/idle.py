"""Connections that no call uses, kept for the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class IdleConnections:
    """Idle connections of one system, from any thread; `drop` ends one, whatever state it is in."""

    def __init__(self, drop: Callable[[Any], None]) -> None:
        self.drop = drop
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def take(self) -> Any:
        """Return an idle connection, which is the caller's alone; None where there is none."""
        with self._lock:
            return self._idle.pop() if self._idle else None

    def put(self, connection: Any) -> None:
        """Take a connection back that works."""
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            self.drop(connection)
