"""The report of a finished batch run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trivium.engine.outcomes import Counts, total_of


@dataclass(frozen=True)
class BatchReport:
    """The balance of a run and where its rows are. `seconds` is first to last unit; `units_reused` were resumed.

    Of the `units_reused_in_part` only some event types ran. `left_out` are event days that stay as they were, since
    source days are missing.
    """

    pipeline: str
    table: str
    version: int
    generation: int
    counts: Mapping[str, Counts]
    dead_letters: int
    units: int
    units_reused: int
    seconds: float
    left_out: tuple[str, ...] = ()
    units_reused_in_part: int = 0

    @property
    def total(self) -> Counts:
        """The balance over all event types."""
        return total_of(self.counts)
