"""Counts in a module."""

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor

_count = 0


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        global _count  # noqa: PLW0603
        _count += 1
        return row(event, _count)
