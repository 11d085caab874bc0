"""Looks beside the path of requests: a thread that looks at facts again when they are due."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from trivium.core.clock import Clock

_log = logging.getLogger(__name__)

_SOON: Final = 30.0
"""The most seconds after which a look that failed is taken again."""
_SHORTEST_PAUSE: Final = 0.05
_SAID: Final = 300


class Refresher:
    """A thread that calls a method of its owner every so many seconds; it ends with the owner, or by `close`.

    The clock says when a look is due; the thread finds out by itself, or at once when `wake` is called. A look that
    fails is taken again after the period, at most 30 seconds. The log has the first failure of a row, and its end.
    """

    def __init__(self, name: str, seconds: float, clock: Clock, look: Callable[[], None]) -> None:
        self.seconds = seconds
        self.error = ""
        self._name, self._clock = name, clock
        self._looked_at = clock.monotonic()
        self._due = self._looked_at + seconds
        self._awake = threading.Event()
        self._closed = False
        method: weakref.WeakMethod[Callable[[], None]] = weakref.WeakMethod(look, lambda _: self.close())
        threading.Thread(target=self._run, args=(method,), name=f"refresh {name}", daemon=True).start()

    def wake(self) -> float:
        """Let a look be taken now if it is due; return the seconds since the last one that succeeded began."""
        now = self._clock.monotonic()
        if now >= self._due:
            self._awake.set()
        return now - self._looked_at

    def close(self) -> None:
        """End the thread; a look that is being taken goes on to its end."""
        self._closed = True
        self._awake.set()

    def _run(self, method: weakref.WeakMethod[Any]) -> None:
        while True:
            self._awake.wait(max(_SHORTEST_PAUSE, min(self.seconds, self._due - self._clock.monotonic())))
            self._awake.clear()
            if self._closed:
                return
            if self._clock.monotonic() >= self._due and (look := method()) is not None:
                self._look(look)
                del look

    def _look(self, look: Callable[[], None]) -> None:
        began = self._clock.monotonic()
        try:
            look()
        except Exception as error:  # noqa: BLE001 whatever goes wrong here, the facts that are there still answer
            if not self.error:
                _log.warning(
                    "lookup %s: its facts could not be looked at again, the old ones answer meanwhile: %s",
                    self._name,
                    str(error)[:_SAID],
                )
            self.error = str(error)[:_SAID] or type(error).__name__
            self._due = self._clock.monotonic() + min(self.seconds, _SOON)
            return
        if self.error:
            _log.info("lookup %s: its facts can be looked at again", self._name)
        self.error, self._looked_at = "", began
        self._due = began + self.seconds
