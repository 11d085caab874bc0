"""Maintains the stream's tables beside it, each time in a process of its own that gives way to all others.

Its commits race those of the stream as any maintenance's do: each side takes a fresh snapshot and tries again. Ended
anywhere, the next one goes on.
"""

from __future__ import annotations

import logging
import os
import socket
from typing import Any, Final

import ray

from trivium.core.clock import Clock, SystemClock
from trivium.delivery.maintenance.upkeep import DEFAULT_HOURS, US_PER_HOUR, Maintained, keep_up, upkeeps
from trivium.delivery.storage.token import StorageToken, prove_shared

_LOWEST_PRIORITY: Final = 19

_log = logging.getLogger(__name__)


class Keeper:
    """The maintenance of a stream's table and dead letters, `seconds` after its start and after each one's end."""

    def __init__(self, token: StorageToken, letters_uri: str, seconds: float, clock: Clock) -> None:
        self._token, self._letters_uri = token, letters_uri
        self._seconds, self._clock = seconds, clock
        self._due = clock.monotonic() + seconds
        self._running: Any = None

    def step(self) -> None:
        """Begin a maintenance that is due, or take one in that has ended; waits for nothing."""
        if self._running is not None:
            if ray.wait([self._running], timeout=0)[0]:
                self._take_in()
        elif self._clock.monotonic() >= self._due:
            # No CPU is reserved: where the workers hold them all, it would never run.
            remote = ray.remote(num_cpus=0, max_calls=1, max_retries=0)(maintain_here)
            self._running = remote.remote(self._token, self._letters_uri)

    def close(self) -> None:
        """End a maintenance under way."""
        if self._running is not None:
            ray.cancel(self._running, force=True)
            self._running = None

    def _take_in(self) -> None:
        try:
            for done in ray.get(self._running):
                _log.info("maintained %s: %d files, before %d", done.table, done.files_after, done.files_before)
        except Exception as error:  # noqa: BLE001 - the stream goes on; the next maintenance tries again
            _log.warning("maintenance beside the stream failed, the stream goes on: %s", error)
        self._running = None
        self._due = self._clock.monotonic() + self._seconds


def maintain_here(token: StorageToken, letters_uri: str) -> list[Maintained]:
    """Maintain both tables in this process, at the lowest priority.

    Raises:
        StorageNotShared: this node does not see the driver's storage.
        DeliveryError: a step could not be taken; what was done until then is whole.
    """
    os.nice(_LOWEST_PRIORITY)
    prove_shared(token, socket.gethostname())
    clock = SystemClock()
    cutoff_us = clock.now_us() - DEFAULT_HOURS * US_PER_HOUR
    return [keep_up(upkeep, cutoff_us, clock) for upkeep in upkeeps(token.uri, letters_uri)]
