"""The report of a streaming run, kept up to date while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trivium.engine.outcomes import Counts, merge_counts, total_of
from trivium.runtimes.streaming.epochs import Committed


@dataclass
class StreamReport:
    """The balance of what this run committed, and where. `adopted` partitions got their first position from it."""

    pipeline: str
    table: str
    generation: int
    adopted: Mapping[str, int]
    positions: dict[str, int] = field(default_factory=dict)
    version: int = -1
    commits: int = 0
    counts: Mapping[str, Counts] = field(default_factory=dict)
    holes: int = 0
    dead_letters: int = 0
    workers_lost: int = 0
    seconds: float = 0.0

    def add(self, committed: Committed) -> None:
        """Take one commit in."""
        result = committed.result
        self.version, self.commits = committed.version, self.commits + 1
        self.counts = merge_counts([dict(self.counts), dict(result.counts)])
        self.positions |= {name: each.next for name, each in result.ranges.items()}
        self.holes += sum(each.holes for each in result.ranges.values())
        self.dead_letters += sum(file.rows for file in result.letters) - result.total.parked

    @property
    def total(self) -> Counts:
        """The balance over all event types."""
        return total_of(self.counts)
