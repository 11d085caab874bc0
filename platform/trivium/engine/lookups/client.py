"""The client around a lookup, the same in all runtimes: threads, time and errors around the scheduler of its calls."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from random import Random
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from trivium.config.worker_spec import LookupSpec
from trivium.contract.enrichment import Hint
from trivium.contract.errors import TransientError
from trivium.contract.lookup import Answer, Lookup, SnapshotLookup, TimedLookup, is_in_memory
from trivium.core.clock import Clock, Deadline
from trivium.core.error_text import UNTRUSTED_CHARACTERS, bounded, class_name, text_of
from trivium.core.errors import RunError
from trivium.engine.lookups.answers import checked, checked_shape, facts_of, no_answer
from trivium.engine.lookups.asks import Ask, Call, Found
from trivium.engine.lookups.budget import RetryBudget
from trivium.engine.lookups.fetch import Facts, Fetch, KeyState
from trivium.engine.lookups.metrics import LookupMetrics
from trivium.engine.lookups.names import names_of
from trivium.engine.lookups.scheduler import Scheduler
from trivium.engine.lookups.usage import LookupUse, UseRecord
from trivium.engine.retry import requested_wait

_LOG: Final = logging.getLogger(__name__)
_CLOSING_SECONDS: Final = 1.0


@dataclass(frozen=True)
class _Failure:
    message: str
    retry_after: float


class LookupClient:
    """Answers fetches of one lookup of a process, from any thread.

    A lookup in memory is called directly. Others are called from threads, started as they are needed, at most as many
    as calls may run; one more waits for what is due. `budget` is shared by all clients of the process.
    """

    def __init__(
        self, spec: LookupSpec, lookup: Lookup, clock: Clock, budget: RetryBudget, random: Random | None = None
    ) -> None:
        self._spec, self._lookup, self._clock = spec, lookup, clock
        self._in_memory = is_in_memory(lookup)
        self._snapshot = lookup.snapshot if isinstance(lookup, SnapshotLookup) else None
        self._schema = pa.schema([pa.field(each.wire, each.type.arrow, each.nullable) for each in spec.columns])
        self._scheduler = Scheduler(spec, budget, random or Random())
        self._use = UseRecord()
        self._rows: Any = None
        self._lock = threading.RLock()
        self._due = threading.Condition(self._lock)
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._queued = self._idle = 0
        self._threads: list[threading.Thread] = []
        self._timer: threading.Thread | None = None
        self._timer_at: float | None = None
        self._closed = False

    def ask(self, fetch: Fetch, limit: Deadline | None = None) -> Facts | Future[Facts]:
        """Return the facts, at once where they are in memory or kept; never later than `limit`.

        Without a limit the caller can wait: for a breaker to let calls through again, and, under `unavailable: wait`,
        for `wait_seconds` until the lookup is back. That a lookup is unavailable is said by the facts, never raised.

        Raises:
            RunError: the lookup gave an answer that breaks its contract, or failed otherwise; the future may raise it.
        """
        if self._in_memory:
            try:
                return self._ask_directly(fetch, limit)
            except TransientError:
                fetch = _unshared(fetch)
        names = names_of(fetch.keys, fetch.times)
        with self._lock:
            now = self._clock.monotonic()
            ask = Ask(fetch, names, None if limit is None else now + limit.remaining())
            self._scheduler.ask(ask, now)
            if self._closed:
                self._scheduler.close(now)
            ended = self._go_on(now)
            if not ask.ended:
                ask.future = Future()
                ask.future.set_running_or_notify_cancel()
        self._tell(ended)
        return facts_of(ask, self._schema) if ask.future is None else ask.future

    def metrics(self) -> LookupMetrics:
        """Return the counters and gauges as they are now."""
        with self._lock:
            found = self._scheduler.read(self._clock.monotonic())
            return msgspec.structs.replace(found, latency=list(found.latency))

    @property
    def away(self) -> str:
        """A sentence about the lookup while those who ask it wait for it to come back."""
        return self._scheduler.away

    def take_use(self) -> LookupUse | None:
        """Return the use since the last call of this method, and which states answered; None: there was none."""
        with self._lock:
            return self._use.take(self._scheduler.metrics.totals())

    def wake(self) -> None:
        """Do what is due: a clock that a test moves tells nobody."""
        with self._lock:
            ended = self._go_on(self._clock.monotonic())
        self._tell(ended)

    def close(self) -> None:
        """End all asks as unavailable, then the threads, and close the lookup. Calls that hang are left behind."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._scheduler.close(self._clock.monotonic())
            ended = self._take_ended()
            for _ in self._threads:
                self._calls.put(None)
            self._due.notify_all()
        self._tell(ended)
        for thread in [*self._threads, *([self._timer] if self._timer else [])]:
            if thread is not threading.current_thread():
                thread.join(_CLOSING_SECONDS)
        close = getattr(self._lookup, "close", None)
        if close is not None:
            close()

    def _ask_directly(self, fetch: Fetch, limit: Deadline | None) -> Facts:
        started, own = self._clock.monotonic(), Deadline.after(self._clock, self._spec.retry.deadline_seconds)
        try:
            answer = checked_shape(
                self._answer(fetch.keys, fetch.times, own.within(limit)), self._spec.name, len(fetch.keys)
            )
        except (TransientError, RunError, MemoryError):
            raise
        except Exception as error:
            raise no_answer(self._spec.name, error) from error
        missing = answer.index.null_count
        found, seconds = len(fetch.keys) - missing, self._clock.monotonic() - started
        with self._lock:
            fresh, old = (0, found) if answer.stale else (found, 0)
            self._scheduler.metrics.count_direct(fresh, old, missing, seconds)
        if not answer.stale:
            return Facts(answer.rows, answer.index)
        found = answer.index.is_valid().to_numpy(zero_copy_only=False)
        return Facts(answer.rows, answer.index, np.where(found, KeyState.STALE, KeyState.MISSING).astype(np.uint8))

    def _answer(self, keys: pa.Array, times: pa.TimestampArray | None, deadline: Deadline) -> Answer:
        if times is None:
            answer = self._lookup.fetch(keys, deadline)
        elif isinstance(self._lookup, TimedLookup):
            answer = self._lookup.fetch_as_of(keys, times, deadline)
        else:
            raise RunError(
                f"lookup {self._spec.name} knows no facts as of a time: {class_name(self._lookup)} has no fetch_as_of. "
                "Try: give it one, or leave out as_of in the enrichments that use it"
            )
        self._note_state(answer)
        return answer

    def _note_state(self, answer: Answer) -> None:
        """Take in which state answered; the same rows again are the same state."""
        rows = getattr(answer, "rows", None)
        if self._snapshot is None or rows is self._rows:
            return
        name = self._snapshot()
        with self._lock:
            self._rows = rows if self._in_memory else None
            self._use.note(name, self._clock.now_us())

    # --- under the lock ---

    def _go_on(self, now: float) -> list[Ask]:
        """Do what is due, begin the calls that may; return the asks that ended."""
        self._scheduler.tick(now)
        if not self._closed:
            for call in self._scheduler.start(now):
                self._hand_out(call)
            self._set_timer(now)
        for notice in self._scheduler.notices:
            _LOG.warning(notice)
        self._scheduler.notices.clear()
        return self._take_ended()

    def _take_ended(self) -> list[Ask]:
        ended, self._scheduler.board.ended = self._scheduler.board.ended, []
        return ended

    def _hand_out(self, call: Call) -> None:
        self._queued += 1
        self._calls.put(call)
        if self._queued > self._idle and len(self._threads) < self._spec.calls.concurrency:
            name = f"trivium-lookup-{self._spec.name}-{len(self._threads)}"
            thread = threading.Thread(target=self._serve_calls, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _set_timer(self, now: float) -> None:
        at = self._scheduler.wakes_at(now)
        if at is None:
            return
        if self._timer is None:
            self._timer = threading.Thread(
                target=self._keep_time, name=f"trivium-lookup-{self._spec.name}-timer", daemon=True
            )
            self._timer.start()
        elif self._timer_at is None or at < self._timer_at or not self._scheduler.in_flight:
            self._due.notify()

    # --- threads ---

    def _serve_calls(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            call = self._calls.get()
            with self._lock:
                self._idle -= 1
                self._queued -= 1
            if call is None:
                return
            result = self._result_of(call)
            with self._lock:
                now = self._clock.monotonic()
                self._take_in(call, result, now)
                ended = self._go_on(now)
            self._tell(ended)
            del call, result, ended

    def _result_of(self, call: Call) -> Found | _Failure | Exception:
        keys = call.keys
        try:
            answer = self._answer(keys, call.times, Deadline(self._clock, call.at))
            return checked(answer, self._spec.name, len(keys), self._schema)
        except TransientError as error:
            return _Failure(bounded(text_of(error), UNTRUSTED_CHARACTERS), requested_wait(error))
        except RunError as error:
            return error
        except BaseException as error:  # noqa: BLE001 - whatever a lookup raises in this thread is its caller's to know
            return no_answer(self._spec.name, error)

    def _take_in(self, call: Call, result: Found | _Failure | Exception, now: float) -> None:
        if isinstance(result, Found):
            self._scheduler.succeeded(call, result, now)
        elif isinstance(result, _Failure):
            self._scheduler.failed(call, result.message, result.retry_after, now)
        else:
            self._scheduler.broke(call, result, now)

    def _keep_time(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                now = self._clock.monotonic()
                ended = self._go_on(now)
                if not ended:
                    self._wait(now)
            self._tell(ended)
            del ended

    def _wait(self, now: float) -> None:
        at = self._timer_at = self._scheduler.wakes_at(now)
        if at is None:
            self._due.wait()
        elif self._scheduler.in_flight:
            self._due.wait(max(0.0, at - now))
        else:
            self._clock.wait(self._due, max(0.0, at - now))

    def _tell(self, ended: Sequence[Ask]) -> None:
        """Hand the asks that ended to their callers. Not under the lock: it makes rows and runs callbacks."""
        for ask in ended:
            if ask.future is None:
                continue
            if ask.broken is not None:
                ask.future.set_exception(ask.broken)
            else:
                ask.future.set_result(facts_of(ask, self._schema))


def _unshared(fetch: Fetch) -> Fetch:
    """Return the fetch without a licence to keep its answer."""
    return Fetch(fetch.lookup, fetch.keys, fetch.times, fetch.hints & ~Hint.CACHEABLE)
