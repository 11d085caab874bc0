"""The breaker: tells rejects here and there, which are dead letters, from systemic ones, which stop the run.

A reject's signature is its event type, stage and reason. Workers sum their rejects up by signature, the driver watches
the sums over a window of the last inputs.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final, Literal, NamedTuple

import msgspec

from trivium.config.model.streaming import Breaker
from trivium.core.errors import RunError
from trivium.engine.batch import Batch
from trivium.engine.outcomes import TOMBSTONE, UNDECODED, UNROUTED, Counts, Outcomes, Reject

SAMPLE_LENGTH: Final = 300


class SystemicRejects(RunError):
    """A run stopped because too many of its inputs were rejected for one reason."""


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


def judged_inputs(counts: Mapping[str, Counts]) -> int:
    """Count the inputs the breaker looks at: not those of another window, nor those that routing's policies drop."""
    return sum(
        each.rejected if name in (UNROUTED, TOMBSTONE) else each.read - each.out_of_window
        for name, each in counts.items()
    )


class BreakerState:
    """Watches a window of whole stretches: the fewest of the last ones that hold `window_events` inputs."""

    def __init__(self, config: Breaker | Literal["off"]) -> None:
        self._config = None if config == "off" else config
        self._stretches: deque[tuple[int, RejectSummary]] = deque()
        self._inputs = 0
        self._counts: Counter[Signature] = Counter()

    def observe(self, inputs: int, rejects: RejectSummary) -> None:
        """Take in the next stretch.

        Raises:
            SystemicRejects: the window is full and one signature's share of it has reached the ratio.
        """
        if self._config is None or not (inputs or rejects):
            return
        self._stretches.append((inputs, rejects))
        self._inputs += inputs
        self._counts.update({group.signature: group.count for group in rejects})
        self._forget_old(self._config.window_events)
        if self._inputs >= self._config.window_events and self._counts:
            signature, count = self._counts.most_common(1)[0]
            if count >= self._config.ratio * self._inputs:
                raise SystemicRejects(self._message(signature, count, self._config))

    def _forget_old(self, window_events: int) -> None:
        while self._inputs - self._stretches[0][0] >= window_events:
            inputs, rejects = self._stretches.popleft()
            self._inputs -= inputs
            self._counts.subtract({group.signature: group.count for group in rejects})
            self._counts = +self._counts

    def _message(self, signature: Signature, count: int, config: Breaker) -> str:
        groups = [group for _, rejects in self._stretches for group in rejects if group.signature == signature]
        first, last = groups[0].first, groups[-1].last
        thresholds = f"breaker.ratio ({config.ratio:g}) or breaker.window_events ({config.window_events})"
        what = f"event type {signature.event_type}, stage {signature.stage}, reason {signature.reason}"
        return (
            f"rejects are systemic: {count} of the last {self._inputs} inputs ({count / self._inputs:.0%}) were "
            f"rejected for one reason: {what}. First: {first.source} at {first.position}; last: {last.source} at "
            f"{last.position}. A sample: {groups[0].sample}. What was not yet committed stays so. Try: fix the "
            f"executor or the producer; or, if these are to become dead letters, change {thresholds}, or set "
            "breaker: off"
        )
