"""Asks of the worker, the portions they are split in, and the calls that carry portions to a lookup."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.contract.enrichment import Hint
from trivium.engine.lookups.fetch import Facts, Fetch, KeyState
from trivium.engine.lookups.timers import Timer

Places = npt.NDArray[np.intp]
PENDING: Final = 255
"""The state of a key without an answer yet."""


class RowsOfKeys(NamedTuple):
    """Rows for some keys of an ask: `rows[numbers[i]]` is the row of the key at `places[i]`."""

    places: Places
    rows: pa.RecordBatch
    numbers: npt.NDArray[np.int32]


class Found(NamedTuple):
    """The answer to a call: rows, and the number of each key's row, -1 where it has none."""

    rows: pa.RecordBatch
    numbers: npt.NDArray[np.int32]
    is_stale: bool


class Ask:
    """A fetch of the worker until its last key has an answer or a reason for none.

    `until` is the moment at which it ends in any case, None where its caller waits for the lookup.
    """

    __slots__ = (
        "backlog", "broken", "ended", "error", "fetch", "future", "names", "parts", "pending", "portions", "released",
        "states", "timer", "until",
    )  # fmt: skip

    def __init__(self, fetch: Fetch, names: list[Hashable], until: float | None) -> None:
        self.fetch, self.names, self.until = fetch, names, until
        self.states = np.full(len(names), PENDING, np.uint8)
        self.pending = len(names)
        self.parts: list[RowsOfKeys] = []
        self.portions: dict[Portion, None] = {}
        self.backlog: deque[Portion] = deque()
        self.released = 0
        self.error = ""
        self.broken: Exception | None = None
        self.ended = False
        self.timer: Timer | None = None
        self.future: Future[Facts] | None = None

    @property
    def is_cacheable(self) -> bool:
        """Return whether answers may be kept and shared."""
        return Hint.CACHEABLE in self.fetch.hints

    @property
    def is_concurrent(self) -> bool:
        """Return whether its calls may run beside others."""
        return Hint.ASYNC in self.fetch.hints

    def give(self, places: Places, rows: pa.RecordBatch, numbers: npt.NDArray[np.int32], state: KeyState) -> None:
        """Take in rows of keys."""
        if len(places):
            self.parts.append(RowsOfKeys(places, rows, numbers))
            self.settle(places, state)

    def settle(self, places: Places, state: KeyState) -> None:
        """Take in the state of keys that had none."""
        self.states[places] = state
        self.pending -= len(places)


@dataclass(frozen=True, eq=False)
class Waiter:
    """The keys of a portion that an ask waits for: `places` in the ask, `own` in the portion."""

    ask: Ask
    places: Places
    own: Places


Phase = Literal["kept", "queued", "delayed", "called", "ended"]


class Portion:
    """Keys that go to the lookup together, at most as many as one call takes, and everybody who waits for them."""

    __slots__ = (
        "attempts", "call", "gives_up_at", "is_cacheable", "is_concurrent", "keys", "names", "owner", "phase",
        "queued_at", "timer", "times", "waiters",
    )  # fmt: skip

    def __init__(self, ask: Ask, places: Places) -> None:
        whole = len(places) == len(ask.names)
        chosen = pa.array(places)
        self.keys = ask.fetch.keys if whole else ask.fetch.keys.take(chosen)
        self.times = ask.fetch.times if whole or ask.fetch.times is None else ask.fetch.times.take(chosen)
        self.names = ask.names if whole else [ask.names[place] for place in places.tolist()]
        self.is_cacheable, self.is_concurrent = ask.is_cacheable, ask.is_concurrent
        self.waiters = [Waiter(ask, places, np.arange(len(places)))]
        self.owner: Ask | None = ask
        self.phase: Phase = "kept"
        self.attempts = 0
        self.queued_at = self.gives_up_at = 0.0
        self.timer: Timer | None = None
        self.call: Call | None = None

    @property
    def is_patient(self) -> bool:
        """Return whether somebody waits for it without a limit."""
        return any(waiter.ask.until is None for waiter in self.waiters)

    @property
    def wanted_until(self) -> float:
        """Return the moment after which nobody waits for its answer."""
        limits = [np.inf if waiter.ask.until is None else waiter.ask.until for waiter in self.waiters]
        return max(limits, default=-np.inf)


class Call:
    """One call of a lookup. After `at` it is overdue: it keeps its slot until it returns, and its answer is ignored.

    `is_cut` says that `at` is the limit of whoever waits, not the lookup's own time-out.
    """

    __slots__ = ("at", "generation", "is_concurrent", "is_cut", "is_overdue", "portions", "started", "timer")

    def __init__(self, portions: list[Portion], started: float, at: float, *, is_cut: bool) -> None:
        self.portions, self.started, self.at, self.is_cut = portions, started, at, is_cut
        self.generation = 0
        self.is_concurrent = portions[0].is_concurrent
        self.is_overdue = False
        self.timer: Timer | None = None

    @property
    def keys(self) -> pa.Array:
        """The keys of all its portions."""
        return _joined([portion.keys for portion in self.portions])

    @property
    def times(self) -> pa.TimestampArray | None:
        """The times of all its portions, None where it has none."""
        first: Any = self.portions[0].times
        return None if first is None else _joined([portion.times for portion in self.portions])


def _joined(arrays: list[Any]) -> Any:
    return arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)
