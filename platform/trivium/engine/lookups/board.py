"""The board of a lookup's open portions: who waits for which key, and what each of them gets."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.contract.lookup_settings import CacheSettings
from trivium.engine.lookups.asks import PENDING, Ask, Call, Found, Places, Portion, Waiter
from trivium.engine.lookups.cache import AnswerCache
from trivium.engine.lookups.fetch import KeyState
from trivium.engine.lookups.metrics import LookupMetrics
from trivium.engine.lookups.slabs import Slots


class Board:
    """Asks and portions by key. A key that may be shared is in one portion at a time, whoever asks for it."""

    def __init__(self, settings: CacheSettings, max_keys: int) -> None:
        self.cache = AnswerCache(settings)
        self.metrics = LookupMetrics()
        self.ended: list[Ask] = []
        """Asks that have ended, until somebody tells their callers."""
        self.leaving: list[Ask] = []
        """The same, until the scheduler has made room for others."""
        self.freed: list[Portion] = []
        """Portions that have ended, until the scheduler has released those behind them."""
        self._max_keys = max_keys
        self._asks: dict[Ask, None] = {}
        self._open: dict[Hashable, tuple[Portion, int]] = {}

    def post(self, ask: Ask, now: float) -> list[Portion]:
        """Answer an ask from the cache, let it join open portions, and return new ones for the rest."""
        self.metrics.asks += 1
        self.metrics.keys += len(ask.names)
        rest = np.arange(len(ask.names))
        if ask.is_cacheable:
            slots = self.cache.fresh(ask.names, now)
            rest, kept = np.flatnonzero(slots < 0), np.flatnonzero(slots >= 0)
            self.metrics.cached += len(kept)
            self._use(ask, kept, slots[kept], KeyState.HIT, now)
            rest = self._join(ask, rest) if self._open and len(rest) else rest
        portions = [Portion(ask, rest[at : at + self._max_keys]) for at in range(0, len(rest), self._max_keys)]
        for portion in portions:
            ask.portions[portion] = None
            if portion.is_cacheable:
                self._open.update((name, (portion, place)) for place, name in enumerate(portion.names))
        self._asks[ask] = None
        self._end_if_done(ask)
        return portions

    def answer(self, call: Call, answer: Found) -> None:
        """Give the rows of a call to everybody who waits for them; those not stale are kept where they may be."""
        rows, numbers = answer.rows, answer.numbers
        state = KeyState.STALE if answer.is_stale else KeyState.HIT
        if call.portions[0].is_cacheable and not answer.is_stale:
            found = numbers >= 0
            rows = rows.take(pa.array(numbers[found]))
            numbers = np.where(found, np.cumsum(found) - 1, -1).astype(np.int32)
            names = [name for portion in call.portions for name in portion.names]
            self.cache.put(names, found, rows, call.started)
        start = 0
        for portion in call.portions:
            own = numbers[start : start + len(portion.names)]
            start += len(portion.names)
            waiters = portion.waiters
            self.remove(portion)
            for waiter in waiters:
                self._give(waiter, rows, own[waiter.own], state)

    def fail(self, call: Call, error: Exception) -> list[Portion]:
        """End all asks that wait for a call with an error; return portions that nobody waits for any more."""
        dropped: list[Portion] = []
        for portion in call.portions:
            for waiter in portion.waiters:
                waiter.ask.broken = error
                dropped += self._detach(waiter.ask)
                self._end(waiter.ask)
            self.remove(portion)
        return dropped

    def end_unavailable(self, portion: Portion, message: str, now: float) -> None:
        """Give up a portion: its keys are unavailable, or have an old row that still may answer."""
        waiters = portion.waiters
        self.remove(portion)
        for waiter in waiters:
            self._leave_unavailable(waiter.ask, waiter.places, message, now)

    def expire(self, ask: Ask, message: str, now: float) -> list[Portion]:
        """End an ask as it is; return portions that nobody waits for any more."""
        dropped = self._detach(ask)
        self._leave_unavailable(ask, np.flatnonzero(ask.states == PENDING), message, now)
        return dropped

    def expire_all(self, message: str, now: float) -> list[Portion]:
        """End all asks as they are; return the portions that nobody waits for any more."""
        return [portion for ask in list(self._asks) for portion in self.expire(ask, message, now)]

    def remove(self, portion: Portion) -> None:
        """Close a portion: its keys may be in another one."""
        portion.phase = "ended"
        if portion.is_cacheable:
            for name in portion.names:
                del self._open[name]
        for waiter in portion.waiters:
            waiter.ask.portions.pop(portion, None)
        portion.waiters = []
        self.freed.append(portion)

    def _join(self, ask: Ask, places: Places) -> Places:
        """Let an ask wait for portions that are open already; return the places of the other keys."""
        rest: list[int] = []
        joined: dict[Portion, tuple[list[int], list[int]]] = {}
        for place in places.tolist():
            found = self._open.get(ask.names[place])
            if found is None:
                rest.append(place)
            else:
                own = joined.setdefault(found[0], ([], []))
                own[0].append(place)
                own[1].append(found[1])
        for portion, (own_places, numbers) in joined.items():
            portion.waiters.append(Waiter(ask, np.array(own_places), np.array(numbers)))
            ask.portions[portion] = None
        return np.array(rest, np.intp)

    def _give(self, waiter: Waiter, rows: pa.RecordBatch, numbers: npt.NDArray[np.int32], state: KeyState) -> None:
        found = numbers >= 0
        count = int(found.sum())
        if state is KeyState.HIT:
            self.metrics.found += count
        else:
            self.metrics.stale += count
        self.metrics.missing += len(numbers) - count
        waiter.ask.give(waiter.places[found], rows, numbers[found], state)
        waiter.ask.settle(waiter.places[~found], KeyState.MISSING)
        self._end_if_done(waiter.ask)

    def _use(self, ask: Ask, places: Places, slots: Slots, state: KeyState, now: float) -> None:
        """Give kept answers."""
        if not len(places):
            return
        age = now - float(self.cache.born(slots).min())
        self.metrics.oldest_seconds = max(self.metrics.oldest_seconds, age)
        has_row = self.cache.has_row(slots)
        with_row = places[has_row]
        for part, rows, numbers in self.cache.parts(slots[has_row]):
            ask.give(with_row[part], rows, numbers, state)
        ask.settle(places[~has_row], KeyState.MISSING)

    def _leave_unavailable(self, ask: Ask, places: Places, message: str, now: float) -> None:
        ask.error = ask.error or message
        if ask.is_cacheable:
            slots = self.cache.stale(_chosen(ask.names, places), now)
            kept = slots >= 0
            self.metrics.stale += int(kept.sum())
            self._use(ask, places[kept], slots[kept], KeyState.STALE, now)
            places = places[~kept]
        self.metrics.unavailable += len(places)
        ask.settle(places, KeyState.UNAVAILABLE)
        self._end_if_done(ask)

    def _detach(self, ask: Ask) -> list[Portion]:
        """Let an ask wait for nothing more; return its portions that nobody else waits for and no call carries."""
        dropped = []
        for portion in list(ask.portions):
            portion.waiters = [waiter for waiter in portion.waiters if waiter.ask is not ask]
            if not portion.waiters and portion.phase != "called":
                self.remove(portion)
                dropped.append(portion)
        ask.portions.clear()
        return dropped

    def _end_if_done(self, ask: Ask) -> None:
        if not ask.pending and not ask.ended:
            self._end(ask)

    def _end(self, ask: Ask) -> None:
        ask.ended = True
        self._asks.pop(ask, None)
        self.ended.append(ask)
        self.leaving.append(ask)


def _chosen(names: Sequence[Hashable], places: Places) -> list[Hashable]:
    return [names[place] for place in places.tolist()]
