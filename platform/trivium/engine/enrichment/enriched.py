"""One enrichment of a batch: facts aligned with the events, and the state of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trivium.engine.enrichment.wanted import BatchKeys, Flags, Offsets
from trivium.engine.lookups.fetch import Facts, KeyState

FactState = Literal["missing", "null_key", "unavailable", "stale", "defaulted"]
"""What a fact is that is no plain hit."""
States = npt.NDArray[np.uint8]

NULL_KEY: Final = 4
UNNEEDED: Final = 5
_MOST_KEYS: Final = 3
"""Keys of a list that one reject names."""
_ABSENT: Final[Mapping[int, FactState]] = {
    KeyState.MISSING: "missing",
    NULL_KEY: "null_key",
    KeyState.UNAVAILABLE: "unavailable",
}
_WORST: Final = (KeyState.UNAVAILABLE, NULL_KEY, KeyState.MISSING, KeyState.STALE, KeyState.HIT, UNNEEDED)
"""States by how much a reader should know of them: that of a list is the worst of its keys."""
_RANK: Final = np.argsort(np.array(_WORST, np.int64))


@dataclass(frozen=True)
class Enriched:
    """The facts of a batch's events for one enrichment.

    `index` (int32, one entry a key) points into `rows`, null where there is no row; `states` says of each key why, None
    while all are hits. The keys of a list lie at `offsets[event]` up to `offsets[event + 1]`; without offsets there is
    one an event. `null_lists` says which events have no list at all, `null_is_miss` that this is a miss. `defaulted`
    says that a declared default stands in for every missing row. `given` is what the lookup answered with; one that
    answers from memory gives the same object again and again. `keys` are the events' keys, by place as `index`, kept
    where a miss is a reject, which names them.
    """

    rows: pa.RecordBatch
    index: pa.Int32Array
    states: States | None = None
    offsets: Offsets | None = None
    null_lists: Flags | None = None
    null_is_miss: bool = True
    defaulted: bool = False
    given: Any = None
    keys: pa.Array | None = None

    def take(self, keep: npt.NDArray[np.int64]) -> Enriched:
        """Return the facts of some of the events."""
        places, offsets = keep, None
        if self.offsets is not None:
            lengths = np.diff(self.offsets)[keep]
            offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            places = np.repeat(self.offsets[keep] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return replace(
            self,
            index=self.index.take(pa.array(places)),
            states=None if self.states is None else self.states[places],
            offsets=offsets,
            null_lists=None if self.null_lists is None else self.null_lists[keep],
            keys=None if self.keys is None else self.keys.take(pa.array(places)),
        )

    def keys_in_state(self, event: int, state: FactState) -> list[Any]:
        """Return the first few keys of an event that have this state; none where no keys are kept."""
        if self.keys is None or self.states is None:
            return []
        start, stop = (event, event + 1) if self.offsets is None else self.offsets[event : event + 2].tolist()
        places = [at for at in range(start, stop) if _ABSENT.get(int(self.states[at])) == state]
        return [self.keys[at].as_py() for at in places[:_MOST_KEYS]]

    def states_of_events(self) -> dict[int, FactState]:
        """Return the events whose fact is no plain hit, and what it is."""
        found: dict[int, FactState] = {}
        for event, state in self._of_events():
            if state == KeyState.STALE:
                found[event] = "stale"
            else:
                found[event] = "defaulted" if self.defaulted else _ABSENT[state]
        return found

    def absent(self) -> dict[int, FactState]:
        """Return the events that have no fact where one is needed, and why; none where a default stands in."""
        if self.defaulted or self.states is None:
            return {}
        return {event: _ABSENT[state] for event, state in self._of_events() if state in _ABSENT}

    def places_of_default(self) -> Flags | None:
        """Return the keys for which the declared default stands in; None where there is none."""
        if not self.defaulted or self.states is None:
            return None
        return np.isin(self.states, list(_ABSENT))

    def _of_events(self) -> list[tuple[int, int]]:
        """Return the events whose state is neither a hit nor that no fact is needed."""
        states = self.states
        if states is None:
            return []
        if self.offsets is not None:
            states = self._worst(states)
        events = np.flatnonzero((states != KeyState.HIT) & (states != UNNEEDED))
        return list(zip(events.tolist(), states[events].tolist(), strict=True))

    def _worst(self, states: States) -> States:
        """Return the worst state of each event's keys; that of a null list is a null key, of an empty one a hit."""
        assert self.offsets is not None
        count = len(self.offsets) - 1
        ranks = np.full(count, _RANK[KeyState.HIT], np.int64)
        events = np.repeat(np.arange(count), np.diff(self.offsets))
        np.minimum.at(ranks, events, _RANK[states])
        worst = np.array(_WORST, np.uint8)[ranks]
        if self.null_lists is not None and self.null_is_miss:
            worst[self.null_lists] = NULL_KEY
        return worst


def aligned(wanted: BatchKeys, codes: pa.Int32Array, facts: Facts | None, rows: pa.RecordBatch) -> Enriched:
    """Return facts aligned with the places of their keys; `codes` says which key each place has, null for none.

    `facts` is None where no event has a key. `rows` are its rows under the names of the declaration.
    """
    if facts is None:
        index = pa.nulls(len(codes), pa.int32())
        states: States | None = np.full(len(codes), NULL_KEY, np.uint8)
    else:
        index = facts.index.take(codes)
        states = _states(facts, codes, index)
    if wanted.unneeded is not None and wanted.offsets is None:
        states = np.zeros(len(codes), np.uint8) if states is None else states
        states[wanted.unneeded] = UNNEEDED
    if wanted.offsets is not None and states is None and wanted.null_lists is not None:
        states = np.zeros(len(codes), np.uint8)
    return Enriched(
        rows,
        index,
        states,
        wanted.offsets,
        _null_lists(wanted),
        null_is_miss=wanted.unneeded is None,
        given=None if facts is None else facts.rows,
    )


def _states(facts: Facts, codes: pa.Int32Array, index: pa.Int32Array) -> States | None:
    if facts.states is None and not index.null_count:
        return None
    if facts.states is None:
        of_keys = np.where(pc.is_null(facts.index).to_numpy(zero_copy_only=False), KeyState.MISSING, KeyState.HIT)
    else:
        of_keys = facts.states
    without_key = pc.is_null(codes).to_numpy(zero_copy_only=False)
    states: States = of_keys[pc.fill_null(codes, 0).to_numpy()].astype(np.uint8)
    states[without_key] = NULL_KEY
    return states


def _null_lists(wanted: BatchKeys) -> Flags | None:
    """Return which events hand None to the executor in place of a tuple: those with a null, or that need no fact."""
    if wanted.offsets is None:
        return None
    return wanted.null_lists if wanted.unneeded is None else wanted.unneeded
