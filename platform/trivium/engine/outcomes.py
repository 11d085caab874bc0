"""Outcomes of inputs: each is emitted, dropped, rejected or, where its event type is held back, parked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trivium.core.error_text import UNTRUSTED_CHARACTERS, bounded
from trivium.engine.author_line import AuthorLine
from trivium.engine.rows.emitted import Emitted
from trivium.engine.rows.lineage import count_distinct

UNROUTED = "_unrouted"
TOMBSTONE = "_tombstone"
UNDECODED = "_undecoded"


@dataclass
class Counts:
    """The balance of one event type: `read = emitted_inputs + dropped + rejected + parked + out_of_window`."""

    read: int = 0
    emitted_inputs: int = 0
    emitted_rows: int = 0
    dropped: int = 0
    rejected: int = 0
    out_of_window: int = 0
    parked: int = 0

    def add(self, other: Counts) -> None:
        """Add another balance to this one."""
        self.read += other.read
        self.emitted_inputs += other.emitted_inputs
        self.emitted_rows += other.emitted_rows
        self.dropped += other.dropped
        self.rejected += other.rejected
        self.out_of_window += other.out_of_window
        self.parked += other.parked

    def balanced(self) -> bool:
        """Return whether each input read has exactly one outcome."""
        found = self.emitted_inputs + self.dropped + self.rejected + self.parked + self.out_of_window
        return self.read == found


def merge_counts(parts: Iterable[dict[str, Counts]]) -> dict[str, Counts]:
    """Add up balances per event type."""
    total: dict[str, Counts] = defaultdict(Counts)
    for part in parts:
        for event_type, counts in part.items():
            total[event_type].add(counts)
    return dict(total)


def total_of(counts: Mapping[str, Counts]) -> Counts:
    """Return the balance over all event types."""
    total = Counts()
    for each in counts.values():
        total.add(each)
    return total


@dataclass(frozen=True)
class Reject:
    """A rejected input. `index` is its row in the batch; `reason` a stable short code, `error` the sentence.

    `raised_at` is the line of the author's code that raised it, None where no code of theirs did. Both texts are valid
    UTF-8 of bounded length, so that each reject can be written, answered and shown.
    """

    index: int
    stage: str
    reason: str
    error: str
    event_type: str | None = None
    attempts: int = 1
    raised_at: AuthorLine | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", bounded(self.reason, UNTRUSTED_CHARACTERS))
        object.__setattr__(self, "error", bounded(self.error))


@dataclass
class Outcomes:
    """The outcome of one batch. `dropped` and `parked` list batch rows by event type."""

    read: int
    emitted: dict[str, Emitted] = field(default_factory=dict)
    dropped: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    parked: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def counts(self) -> dict[str, Counts]:
        """Return the balance per event type."""
        counts: dict[str, Counts] = defaultdict(Counts)
        for event_type, emitted in self.emitted.items():
            counts[event_type].emitted_rows += len(emitted)
            counts[event_type].emitted_inputs += count_distinct(emitted.parents)
        for event_type, rows in self.dropped.items():
            counts[event_type].dropped += len(rows)
        for event_type, rows in self.parked.items():
            counts[event_type].parked += len(rows)
        for reject in self.rejects:
            counts[reject.event_type or UNDECODED].rejected += 1
        for each in counts.values():
            each.read = each.emitted_inputs + each.dropped + each.rejected + each.parked
        return dict(counts)
