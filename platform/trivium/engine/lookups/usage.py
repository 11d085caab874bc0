"""Use of a lookup in a stretch of work: how many keys, and which of its states answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec


class LookupState(msgspec.Struct, frozen=True):
    """A state of a lookup by its own name, and the moment at which a process first used it (microseconds, UTC)."""

    name: str
    used_us: int


class LookupUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The use of one lookup. `counts` are those counters of `LookupMetrics` that grew, by name.

    `oldest` and `newest` are the states that answered; None where the lookup names none.
    """

    counts: Mapping[str, int] = {}
    oldest: LookupState | None = None
    newest: LookupState | None = None


def merged_use(parts: Iterable[Mapping[str, LookupUse]]) -> dict[str, LookupUse]:
    """Return the use of each lookup over several stretches of work."""
    found: dict[str, list[LookupUse]] = {}
    for part in parts:
        for name, use in part.items():
            found.setdefault(name, []).append(use)
    return {name: _joined(uses) for name, uses in found.items()}


def _joined(uses: list[LookupUse]) -> LookupUse:
    counts: Counter[str] = Counter()
    for use in uses:
        counts.update(use.counts)
    states = [state for use in uses for state in (use.oldest, use.newest) if state is not None]
    if not states:
        return LookupUse(dict(counts))
    oldest = min(states, key=_used)
    newest = max(states, key=_used)
    return LookupUse(dict(counts), oldest, oldest if newest.name == oldest.name else newest)


def _used(state: LookupState) -> int:
    return state.used_us


class UseRecord:
    """The use of a lookup by one process, until it is taken.

    What is kept from an earlier stretch may answer in a later one, so the last state counts for it too.
    """

    def __init__(self) -> None:
        self._oldest: LookupState | None = None
        self._newest: LookupState | None = None
        self._taken: dict[str, int] = {}

    def note(self, name: str, now_us: int) -> None:
        """Take in the name of the state that answers; an empty one says that the lookup names none."""
        if name and (self._newest is None or self._newest.name != name):
            self._newest = LookupState(name, now_us)
            self._oldest = self._oldest or self._newest

    def take(self, totals: Mapping[str, int]) -> LookupUse | None:
        """Return the use since it was last taken, None where it was not used; `totals` are the counters by now."""
        grown = {name: total - self._taken.get(name, 0) for name, total in totals.items()}
        counts = {name: count for name, count in grown.items() if count}
        if not counts:
            return None
        use = LookupUse(counts, self._oldest, self._newest)
        self._taken, self._oldest = dict(totals), self._newest
        return use
