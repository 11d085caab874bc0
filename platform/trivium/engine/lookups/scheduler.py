"""The scheduler of a lookup's calls: asks in, calls that may begin out, and who gets which answer. No I/O.

It has no thread and no clock: the time is an argument, `wakes_at` says when it wants to be called next.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final

from trivium.config.worker_spec import LookupSpec
from trivium.engine.lookups.asks import Ask, Call, Found, Portion
from trivium.engine.lookups.board import Board
from trivium.engine.lookups.budget import RetryBudget
from trivium.engine.lookups.limits.gate import Gate
from trivium.engine.lookups.limits.pauses import Pauses
from trivium.engine.lookups.limits.queue import TurnQueue
from trivium.engine.lookups.metrics import LookupMetrics
from trivium.engine.lookups.timers import Timers

_RETRY_SPREAD: Final = 0.5


class Scheduler:
    """Takes asks, splits them in portions, says which calls begin, and takes in how they ended.

    A portion waits for its turn in a queue, from which it leaves by a call or by its time-out. An ask has as many
    portions there as calls may run, so that a large one does not keep a small one waiting. Where an ask has a limit,
    the wait for a turn is part of a call's time-out.
    """

    def __init__(self, spec: LookupSpec, budget: RetryBudget, random: Random) -> None:
        self._spec, self._budget, self._random = spec, budget, random
        self._timers = Timers()
        self._gate = Gate(spec.calls, random)
        self._pauses = Pauses(spec.calls.wait_seconds, random)
        self._queue = TurnQueue(spec.calls)
        self.board = Board(spec.calls.cache, spec.calls.max_keys)
        self.metrics: LookupMetrics = self.board.metrics
        self.notices: list[str] = []
        """Sentences about pauses, for the log."""
        self.away = ""
        """The newest of these sentences while nothing has succeeded since."""

    def ask(self, ask: Ask, now: float) -> None:
        """Answer what is kept, and queue the rest."""
        ask.backlog.extend(self.board.post(ask, now))
        if not ask.ended and ask.until is not None:
            ask.timer = self._timers.set(ask.until, lambda at: self._expire(ask, at))
        for portion in list(ask.portions):
            if portion.phase == "kept" and portion.owner is not ask:
                portion.owner = None
                self._release(portion, now)
        self._release_next(ask, now)
        self._settle(now)

    @property
    def in_flight(self) -> int:
        """Calls that have begun and not returned."""
        return self._gate.in_flight

    def start(self, now: float) -> list[Call]:
        """Return the calls that must begin now."""
        calls: list[Call] = []
        while self._queue:
            if not self._gate.permits(self._queue.first(), now):
                break
            calls.append(self._begin(now))
        return calls

    def tick(self, now: float) -> None:
        """Do what is due."""
        for action in self._timers.due(now):
            action(now)
        self._settle(now)

    def wakes_at(self, now: float) -> float | None:
        """Return when something is due next, None: nothing is."""
        at = self._timers.next_at()
        if self._queue and self._gate.has_slot(self._queue.first()):
            opens = max(self._gate.opens_at(), self._gate.closed_until(now))
            if opens > now and (at is None or opens < at):
                return opens
        return at

    def succeeded(self, call: Call, found: Found, now: float) -> None:
        """Take in the answer to a call."""
        if self._end(call, now):
            self._gate.breaker.success(call.generation)
            self._pauses.reset()
            self.away = ""
            self.board.answer(call, found)
            self._settle(now)

    def failed(self, call: Call, message: str, retry_after: float, now: float) -> None:
        """Take in that a call failed for a passing reason; `retry_after` is the wait that the lookup demands."""
        self.metrics.failures += not call.is_overdue
        retry_after = min(retry_after, self._spec.calls.wait_seconds)
        if retry_after > 0:
            self._gate.keep_quiet(now + retry_after)
            self._flush(now)
        if self._end(call, now):
            self._count_failure(call, now)
            self._try_again(call.portions, message, retry_after, now)
            self._settle(now)

    def broke(self, call: Call, error: Exception, now: float) -> None:
        """Take in that a call ended in a way that trying again cannot mend: all who wait for it get the error."""
        if self._end(call, now):
            self._gate.breaker.nothing(call.generation)
            for portion in self.board.fail(call, error):
                self._leave(portion)
            self._settle(now)

    def close(self, now: float) -> None:
        """End every ask as it is."""
        for portion in self.board.expire_all("its client was closed", now):
            self._leave(portion)
        self._settle(now)

    def read(self, now: float) -> LookupMetrics:
        """Return the metrics, its gauges as of now."""
        found, breaker = self.metrics, self._gate.breaker
        found.breaker, found.breaker_openings = breaker.state(now), breaker.openings
        found.in_flight, found.waiting = self._gate.in_flight, len(self._queue)
        found.cache_bytes, found.cache_keys = self.board.cache.size, len(self.board.cache)
        return found

    # --- the life of a portion ---

    def _release(self, portion: Portion, now: float) -> None:
        """Let a portion wait for its turn: its time runs from here."""
        portion.attempts = 0
        portion.gives_up_at = now + self._spec.retry.deadline_seconds
        self._enqueue(portion, now)

    def _release_next(self, ask: Ask, now: float) -> None:
        window = self._spec.calls.concurrency if ask.is_concurrent else 1
        while ask.backlog and ask.released < window:
            portion = ask.backlog.popleft()
            if portion.phase == "kept":
                ask.released += 1
                self._release(portion, now)

    def _enqueue(self, portion: Portion, now: float) -> None:
        closed_until = self._gate.closed_until(now)
        stopped = self._gate.breaker.state(now) == "open" or self._gate.breaker.is_probed(now)
        if stopped and not portion.is_patient:
            self._give_up(portion, "its breaker is open", now)
        elif closed_until > now:
            if closed_until < min(portion.gives_up_at, portion.wanted_until):
                self._delay(portion, closed_until)
            else:
                self._give_up(portion, "no call may begin in the time that is left", now)
        else:
            portion.phase, portion.queued_at = "queued", now
            self._queue.add(portion)
            self._expect_turn(portion, now)

    def _expect_turn(self, portion: Portion, now: float) -> None:
        at = min(now + self._spec.calls.timeout_seconds, portion.gives_up_at)
        portion.timer = self._timers.set(at, lambda due: self._miss_turn(portion, due))

    def _delay(self, portion: Portion, until: float) -> None:
        portion.phase = "delayed"
        portion.timer = self._timers.set(until, lambda due: self._enqueue(portion, due))

    def _leave(self, portion: Portion) -> None:
        """Take a portion out of the queue and forget what it waited for."""
        self._queue.remove(portion)
        self._timers.cancel(portion.timer)

    def _miss_turn(self, portion: Portion, now: float) -> None:
        """Give up a portion that found no turn; one without a limit stays while the calls before it get answers."""
        if self._gate.is_hung:
            self._leave(portion)
            self._gate.breaker.count_failure(now)
            self._flush(now)
        elif portion.is_patient and now < portion.gives_up_at:
            self._expect_turn(portion, now)
            return
        self._leave(portion)
        self.metrics.timeouts += 1
        self._give_up(portion, f"no turn within {self._spec.calls.timeout_seconds:g} s", now)

    def _begin(self, now: float) -> Call:
        portions = self._queue.next_call()
        first = portions[0]
        own = (now if first.is_patient else first.queued_at) + self._spec.calls.timeout_seconds
        wanted = math.inf if first.is_cacheable else max(portion.wanted_until for portion in portions)
        call = Call(portions, now, min(own, wanted), is_cut=wanted < own)
        self._gate.begin(call, now)
        for portion in portions:
            self._leave(portion)
            portion.phase, portion.call = "called", call
        call.timer = self._timers.set(call.at, lambda due: self._overdue(call, due))
        self.metrics.calls += 1
        self.metrics.called_keys += sum(len(portion.names) for portion in portions)
        if not first.attempts:
            self._budget.count_call(now)
        return call

    def _overdue(self, call: Call, now: float) -> None:
        self._gate.overdue(call)
        self.metrics.timeouts += 1
        self._count_failure(call, now)
        self._try_again(call.portions, f"no answer within {call.at - call.started:.3g} s", 0.0, now)

    def _count_failure(self, call: Call, now: float) -> None:
        """Let the breaker judge; a call cut short by the limit of who waits says nothing of the lookup."""
        breaker = self._gate.breaker
        if call.is_cut and now >= call.at:
            breaker.nothing(call.generation)
            return
        breaker.failure(call.generation, now)
        self._flush(now)

    def _flush(self, now: float) -> None:
        """Let no portion wait for a turn that a closed gate does not give."""
        if self._gate.closed_until(now) > now:
            for portion in list(self._queue):
                self._leave(portion)
                self._enqueue(portion, now)

    def _try_again(self, portions: list[Portion], message: str, retry_after: float, now: float) -> None:
        delays: list[float | None] = [*self._spec.retry.delays(), None]
        for portion in portions:
            portion.call = None
            delay = delays[min(portion.attempts, len(delays) - 1)]
            portion.attempts += 1
            wait = 0.0 if delay is None else delay * (1 - _RETRY_SPREAD * self._random.random())
            at = now + max(wait, retry_after * (1 + 0.1 * self._random.random()))
            if not portion.waiters:
                self.board.remove(portion)
            elif delay is None or at >= min(portion.gives_up_at, portion.wanted_until):
                self._give_up(portion, message, now)
            elif not self._budget.take(now):
                self._give_up(portion, f"{message} (no retry: too many of this process's calls are retries)", now)
            else:
                self.metrics.retries += 1
                self._delay(portion, at)

    def _give_up(self, portion: Portion, message: str, now: float) -> None:
        if self._spec.unavailable == "wait" and portion.is_patient:
            pause = self._pauses.pause(now)
            if pause is not None:
                until, is_new = pause
                if is_new:
                    self.away = f"lookup {self._spec.name} is away ({message}); next try in {until - now:.1f} s"
                    self.notices.append(self.away)
                portion.phase = "delayed"
                portion.timer = self._timers.set(until, lambda due: self._release(portion, due))
                return
        self.board.end_unavailable(portion, message, now)

    # --- ends ---

    def _end(self, call: Call, now: float) -> bool:
        """Free the slot of a call that returned; return whether it did so in time."""
        self._gate.end(call)
        self.metrics.observe(now - call.started)
        self._timers.cancel(call.timer)
        if call.is_overdue:
            self.metrics.late += 1
        return not call.is_overdue

    def _expire(self, ask: Ask, now: float) -> None:
        """End an ask at its limit; its portions leave the queue unless others wait for them."""
        for portion in self.board.expire(ask, "no answer within the time that was left", now):
            if portion in self._queue and self._gate.is_hung:
                self._gate.breaker.count_failure(now)
            self._leave(portion)
        self._flush(now)

    def _settle(self, now: float) -> None:
        """Let what has ended make room for what comes next."""
        board = self.board
        while board.freed or board.leaving:
            while board.freed:
                owner = board.freed.pop().owner
                if owner is not None and not owner.ended:
                    owner.released -= 1
                    self._release_next(owner, now)
            while board.leaving:
                self._part(board.leaving.pop(), now)

    def _part(self, ask: Ask, now: float) -> None:
        """Forget an ask that has ended; what others wait for in its backlog goes on without it."""
        self._timers.cancel(ask.timer)
        for portion in ask.backlog:
            if portion.phase == "kept":
                portion.owner = None
                self._release(portion, now)
        ask.backlog.clear()
