"""The breaker: tells rejects here and there, which are dead letters, from systemic ones, which stop the run.

A reject's signature is its event type, stage and reason. Workers sum their rejects up by signature. The driver watches
the sums over a window of each event type's last inputs: among fifty types one that is wholly broken is a fiftieth of
all inputs, and yet all of its own. Rejects without a type could be of any, so they are judged among all inputs.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final, Literal, NamedTuple

import msgspec

from trivium.config.model.streaming import Breaker
from trivium.core.errors import RunError
from trivium.engine.batch import Batch
from trivium.engine.outcomes import TOMBSTONE, UNDECODED, UNROUTED, Counts, Outcomes, Reject

SAMPLE_LENGTH: Final = 300
UNTYPED: Final = (UNDECODED, UNROUTED, TOMBSTONE)
_GRAINS: Final = 100
"""Stretches below a hundredth of the window are kept as one: a rare type has a few inputs in each of many."""


class SystemicRejects(RunError):
    """Too many of a run's inputs were rejected for one reason; `event_type` is theirs, None where they have none."""

    def __init__(self, message: str, event_type: str | None = None) -> None:
        super().__init__(message, event_type)
        self.message, self.event_type = message, event_type

    def __str__(self) -> str:
        return self.message


class Signature(NamedTuple):
    """The event type, stage and reason that rejects of one cause share."""

    event_type: str
    stage: str
    reason: str


class Place(NamedTuple):
    """The place of an input: topic/partition and offset, or file and row."""

    source: str
    position: int


class RejectGroup(msgspec.Struct, frozen=True):
    """The rejects of one signature: how many, the first and the last, and the first one's error, cut to 300 letters."""

    signature: Signature
    count: int
    first: Place
    last: Place
    sample: str

    def followed_by(self, other: RejectGroup) -> RejectGroup:
        """Return both groups as one."""
        return RejectGroup(self.signature, self.count + other.count, self.first, other.last, self.sample)


RejectSummary = tuple[RejectGroup, ...]
"""The rejects of a stretch of inputs, a group for each signature."""


def merge_rejects(stretches: Iterable[RejectSummary]) -> RejectSummary:
    """Return the rejects of stretches that follow one another as those of one stretch."""
    groups: dict[Signature, RejectGroup] = {}
    for group in chain.from_iterable(stretches):
        earlier = groups.get(group.signature)
        groups[group.signature] = earlier.followed_by(group) if earlier else group
    return tuple(groups.values())


def summarise(outcomes: Outcomes, batch: Batch) -> RejectSummary:
    """Sum up the rejects of one batch by signature."""
    found: dict[Signature, list[Reject]] = {}
    for reject in outcomes.rejects:
        signature = Signature(reject.event_type or UNDECODED, reject.stage, reject.reason)
        found.setdefault(signature, []).append(reject)
    return tuple(_group(signature, rejects, batch) for signature, rejects in found.items())


def _group(signature: Signature, rejects: list[Reject], batch: Batch) -> RejectGroup:
    first = min(rejects, key=lambda reject: reject.index)
    last = max(rejects, key=lambda reject: reject.index)
    return RejectGroup(signature, len(rejects), _place(first, batch), _place(last, batch), first.error[:SAMPLE_LENGTH])


def _place(reject: Reject, batch: Batch) -> Place:
    source = batch.source if isinstance(batch.source, str) else batch.source[reject.index].as_py()
    return Place(source, int(batch.positions[reject.index]))


def judged_inputs(counts: Mapping[str, Counts]) -> dict[str, int]:
    """Count the inputs that the breaker looks at per event type, and under `UNDECODED` all of them.

    They are not those of another window, those that are parked, nor those that routing's policies drop.
    """
    own = {name: each.read - each.out_of_window - each.parked for name, each in counts.items() if name not in UNTYPED}
    policies = (counts[name].rejected for name in (UNROUTED, TOMBSTONE) if name in counts)
    undecoded = counts.get(UNDECODED, Counts())
    own[UNDECODED] = sum(own.values()) + sum(policies) + undecoded.read - undecoded.out_of_window
    return own


class BreakerState:
    """Watches a window of inputs for each event type, and one of all inputs for the rejects without a type."""

    def __init__(self, config: Breaker | Literal["off"]) -> None:
        self._config = None if config == "off" else config
        self._windows: dict[str, _Window] = {}

    def observe(self, inputs: Mapping[str, int], rejects: RejectSummary) -> None:
        """Take in the next stretch: its `judged_inputs` and its rejects.

        Raises:
            SystemicRejects: one signature's share of a type's window, with enough inputs in it, has reached the ratio.
        """
        if self._config is None:
            return
        groups: dict[str, list[RejectGroup]] = defaultdict(list)
        for group in rejects:
            kind = group.signature.event_type
            groups[UNDECODED if kind in UNTYPED else kind].append(group)
        for kind in sorted({*inputs, *groups}):
            if inputs.get(kind, 0) or kind in groups:
                window = self._windows.setdefault(kind, _Window(self._config))
                window.observe(inputs.get(kind, 0), tuple(groups[kind]))


class _Window:
    """Whole stretches of one event type: the fewest of the last ones that hold `window_events` inputs."""

    def __init__(self, config: Breaker) -> None:
        self._config = config
        self._stretches: deque[tuple[int, RejectSummary]] = deque()
        self._inputs = 0
        self._counts: Counter[Signature] = Counter()

    def observe(self, inputs: int, rejects: RejectSummary) -> None:
        """Take in the next stretch, and judge.

        Raises:
            SystemicRejects: see `BreakerState.observe`.
        """
        self._append(inputs, rejects)
        self._forget_old(self._config.window_events)
        if self._inputs >= self._config.judged_from and self._counts:
            signature, count = self._counts.most_common(1)[0]
            if count >= self._config.ratio * self._inputs:
                raise self._trip(signature, count)

    def _append(self, inputs: int, rejects: RejectSummary) -> None:
        self._inputs += inputs
        self._counts.update({group.signature: group.count for group in rejects})
        if self._stretches and self._stretches[-1][0] * _GRAINS < self._config.window_events:
            earlier, groups = self._stretches.pop()
            inputs, rejects = earlier + inputs, merge_rejects([groups, rejects])
        self._stretches.append((inputs, rejects))

    def _forget_old(self, window_events: int) -> None:
        while self._inputs - self._stretches[0][0] >= window_events:
            inputs, rejects = self._stretches.popleft()
            self._inputs -= inputs
            self._counts.subtract({group.signature: group.count for group in rejects})
            self._counts = +self._counts

    def _trip(self, signature: Signature, count: int) -> SystemicRejects:
        event_type = None if signature.event_type in UNTYPED else signature.event_type
        return SystemicRejects(self._message(signature, count), event_type)

    def _message(self, signature: Signature, count: int) -> str:
        groups = [group for _, rejects in self._stretches for group in rejects if group.signature == signature]
        first, last = groups[0].first, groups[-1].last
        whose = "" if signature.event_type in UNTYPED else " of one event type"
        what = f"event type {signature.event_type}, stage {signature.stage}, reason {signature.reason}"
        config = self._config
        thresholds = (
            f"breaker.ratio ({config.ratio:g}), breaker.window_events ({config.window_events}) or breaker.least "
            f"({config.least})"
        )
        return (
            f"rejects are systemic: {count} of the last {self._inputs} inputs ({count / self._inputs:.0%}){whose} were "
            f"rejected for one reason: {what}. First: {first.source} at {first.position}; last: {last.source} at "
            f"{last.position}. A sample: {groups[0].sample}. What was not yet committed stays so. Try: fix the "
            f"executor or the producer; or, if these are to become dead letters, change {thresholds}, or set "
            "breaker: off"
        )
