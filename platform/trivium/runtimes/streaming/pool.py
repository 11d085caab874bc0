"""The actor pool: one `Lane` a worker, which knows what its actor is doing and what comes next.

A lane asks its actor for epochs, two at a time so that the actor never waits for the driver. A lane whose actor was
lost makes a new one and searches the partitions it owned for the record that did it (see `poison_search`). One that
takes long can say that it waits for facts: then it is not taken for hanging, whatever time it takes.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import ray
from ray.exceptions import RayError, RayTaskError

from trivium.config.model.streaming import Streaming
from trivium.core.clock import Clock
from trivium.core.errors import RunError, TriviumError
from trivium.delivery.commit.positions import by_number
from trivium.runtimes.losses import GONE, LOSS_TEXT, Loss, first_line, own_words
from trivium.runtimes.streaming.job import EpochRequest, EpochResult, StreamJob
from trivium.runtimes.streaming.poison_search import PoisonSearch, searches_of, seconds_allowed
from trivium.runtimes.streaming.restart_backoff import Openings
from trivium.runtimes.streaming.wait_watch import WaitWatch
from trivium.runtimes.streaming.worker.actor import StreamWorker

_AHEAD: Final = 2
_START_SECONDS: Final = 180.0
_GRACE_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


@dataclass
class _Call:
    """A call under way: what it is, and the moment (monotonic) after which the actor is taken for hanging.

    `seconds` is the time it is given.
    """

    answer: Any
    kind: str
    seconds: float
    due: float


@dataclass
class Lane:
    """One worker's place in the pool. `positions` are the next offsets after everything it handed in."""

    number: int
    job: StreamJob
    config: Streaming
    clock: Clock
    positions: dict[str, int]
    losses: int = 0
    buffered_bytes: int = 0
    reconnects: int = 0
    _actor: Any = None
    _calls: deque[_Call] = field(default_factory=deque)
    _searches: list[PoisonSearch] = field(default_factory=list)
    _reassign: bool = True
    _openings: Openings = field(default_factory=Openings)
    _known_reconnects: int = 0
    _stopping: bool = False

    def __post_init__(self) -> None:
        self._watch = WaitWatch(self.number, self.clock)

    @property
    def waiting_for(self) -> Any:
        """Return the answer that comes next, or None."""
        return self._calls[0].answer if self._calls else None

    @property
    def idle(self) -> bool:
        """Return True when nothing is under way."""
        return not self._calls

    @property
    def ready(self) -> bool:
        """Return True when the actor has started."""
        return self._actor is not None and not any(call.kind == "open" for call in self._calls)

    def give(self, positions: dict[str, int]) -> None:
        """Let the lane own more partitions, from its next epoch on."""
        self.positions |= positions
        self._reassign = True

    def start(self) -> None:
        """Make the actor."""
        remote = ray.remote(num_cpus=1, max_restarts=0, concurrency_groups={"control": 1})(StreamWorker)
        self._actor = remote.remote(self.job)
        self._call(self._actor.open.remote(), "open", _START_SECONDS)

    def go_on(self) -> None:
        """Ask for what comes next, unless enough is under way."""
        if self._stopping or not self.positions:
            return
        if self._actor is None:
            if not self._openings.due(self.clock.monotonic()):
                return
            self.start()
        if any(call.kind == "open" for call in self._calls):
            return
        if self._searches:
            if not self._calls:
                self._run_search(self._searches[0])
            return
        if self._reassign and self._calls:
            return  # what is under way moves the positions
        while len(self._calls) < _AHEAD:
            request = EpochRequest(dict(self.positions) if self._reassign else None)
            self._reassign = False
            seconds = self.config.commit_interval_seconds * 2 * _AHEAD + self.config.batch_deadline_seconds
            self._call(self._actor.run.remote(request), "epoch", seconds + _GRACE_SECONDS)

    def stop(self) -> None:
        """Ask for no more, and have the running epoch cut."""
        self._stopping = True
        if self._actor is not None:
            self._actor.cut.remote()

    def collect(self, *, answered: bool) -> EpochResult | None:
        """Take the next answer in, or find out that it is overdue. None: there is no result (yet).

        Raises:
            TriviumError: what the worker raised: it cannot go on.
        """
        call = self._calls[0]
        if not answered:
            if self._watch.is_waiting(self._actor):
                for each in self._calls:
                    each.due = max(each.due, self.clock.monotonic() + each.seconds)
            if self.clock.monotonic() > call.due:
                self._lose("worker_hung", f"no answer to {call.kind} in time")
            return None
        try:
            answer = ray.get(call.answer)
        except RayTaskError as error:
            if isinstance(error.cause, TriviumError):
                raise error.cause from error
            raise RunError(f"worker {self.number}: {own_words(error)}") from error
        except RayError as error:
            if call.kind != "open" and not isinstance(error, GONE):
                raise RunError(f"worker {self.number}: {own_words(error)}") from error
            self._lose("worker_died", first_line(error))
            return None
        self._calls.popleft()
        return self._taken(call, answer)

    def close(self) -> None:
        """End the actor: politely, so that it leaves its broker; it has no state to lose."""
        if self._actor is None:
            return
        try:
            ray.get(self._actor.close.remote(), timeout=2)
        except Exception as error:  # noqa: BLE001 - it ends in any case
            _log.debug("worker %d did not close: %s", self.number, error)
        ray.kill(self._actor)
        self._actor = None

    def _taken(self, call: _Call, answer: Any) -> EpochResult | None:
        self._openings.succeed()
        self._watch.end()
        self._watch_next()
        if call.kind == "open":
            self._known_reconnects = 0
            return None
        result: EpochResult = answer
        self.reconnects += max(0, result.reconnects - self._known_reconnects)
        self.buffered_bytes, self._known_reconnects = result.buffered_bytes, result.reconnects
        self.positions |= {name: each.next for name, each in result.ranges.items()}
        if self._searches:
            self._search_passed(call, result)
        return result

    def _search_passed(self, call: _Call, result: EpochResult) -> None:
        search = self._searches.pop(0)
        if call.kind == "reject":
            search.rejected()
            cleared = False
        else:
            cleared = search.passed(result.read)
        if not cleared:
            self._searches.append(search)
        self._reassign = not self._searches

    def _run_search(self, search: PoisonSearch) -> None:
        at = {search.partition: self.positions[search.partition]}
        seconds = seconds_allowed(search.limit, self.config.batch_deadline_seconds, self.config.record_deadline_seconds)
        answer = self._actor.run.remote(EpochRequest(at, search.limit))
        self._call(answer, "alone", seconds)

    def _lose(self, loss: Loss, reason: str) -> None:
        """Take the actor for lost; everything it had under way comes again."""
        lost, self._calls = self._calls[0], deque()
        self._watch.forget()
        self.losses += 1
        _log.warning("worker %d is lost (%s): %s", self.number, loss, reason)
        ray.kill(self._actor)
        self._actor = None
        if lost.kind == "open":
            self._open_later(reason)
            return
        if lost.kind == "alone" and self._searches[0].lost():
            self._reject_next(self._searches[0], loss)
            return
        if not self._searches:
            self._searches = searches_of(self.positions)
        self._reassign = True
        self.go_on()

    def _open_later(self, reason: str) -> None:
        if not self._openings.fail(self.clock.monotonic()):
            message = f"worker {self.number} could not be started in {self._openings.failed} tries: {reason}"
            raise RunError(f"{message}. Try: see the worker's log of Ray, and whether the cluster has a free CPU")
        self._reassign = True

    def _reject_next(self, search: PoisonSearch, loss: Loss) -> None:
        at = self.positions[search.partition]
        _log.warning("%s, position %d: %s; it is a dead letter (%s)", search.partition, at, LOSS_TEXT[loss], loss)
        self.start()
        answer = self._actor.reject.remote(search.partition, at, loss, LOSS_TEXT[loss])
        self._call(answer, "reject", _START_SECONDS)

    def _call(self, answer: Any, kind: str, seconds: float) -> None:
        self._calls.append(_Call(answer, kind, seconds, self.clock.monotonic() + seconds))
        if len(self._calls) == 1:
            self._watch_next()

    def _watch_next(self) -> None:
        """Watch over the actor's next answer, which may take long; the start of a process is no wait for facts."""
        if self._calls and self._calls[0].kind != "open":
            epoch = self.config.commit_interval_seconds * _AHEAD if self._calls[0].kind == "epoch" else 0.0
            self._watch.begin(epoch, self._calls[0].seconds / 4)


def make_lanes(job: StreamJob, config: Streaming, clock: Clock, positions: dict[str, int]) -> list[Lane]:
    """Make lanes that share the partitions evenly; as many as configured, but none without a partition."""
    names = sorted(positions, key=by_number)
    count = min(config.workers, len(names))
    shares: Sequence[dict[str, int]] = [{name: positions[name] for name in names[at::count]} for at in range(count)]
    return [Lane(number, job, config, clock, share) for number, share in enumerate(shares)]
