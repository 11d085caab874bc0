"""A watch on actors that take long: one that says it waits for facts is not taken for hanging."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any, Final

import ray
from ray.exceptions import RayError

from trivium.core.clock import Clock

_EVERY_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


@dataclass
class WaitWatch:
    """The watch on the actor of one worker. A question is answered beside what the actor runs, or not at all."""

    worker: int
    clock: Clock
    _question: Any = None
    _look_at: float = math.inf
    _every: float = _EVERY_SECONDS
    _said: str = ""

    def begin(self, seconds: float, every: float = _EVERY_SECONDS) -> None:
        """Note that the actor began with what takes so many seconds; later a question goes to it `every` so often."""
        self._every = min(every, _EVERY_SECONDS)
        self._look_at = self.clock.monotonic() + seconds + self._every
        self._question = None

    def end(self) -> None:
        """Take note that the actor answered."""
        if self._said:
            _log.warning("worker %d goes on", self.worker)
        self.forget()

    def forget(self) -> None:
        """Ask nothing more: the actor has nothing to do, or is gone."""
        self._question, self._look_at, self._said = None, math.inf, ""

    def is_waiting(self, actor: Any) -> bool:
        """Return whether the actor just said that it waits for facts; the log says why, once a pause."""
        now = self.clock.monotonic()
        if self._question is None:
            if now >= self._look_at:
                self._question = actor.waits_for.remote()
            return False
        if not ray.wait([self._question], timeout=0)[0]:
            return False
        question, self._question, self._look_at = self._question, None, now + self._every
        try:
            waits_for = ray.get(question)
        except RayError as error:
            _log.debug("worker %d does not say what it does: %s", self.worker, error)
            return False
        if waits_for and waits_for != self._said:
            _log.warning("worker %d waits: %s", self.worker, waits_for)
            self._said = waits_for
        return waits_for is not None
