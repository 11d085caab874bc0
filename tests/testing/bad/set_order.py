"""Writes names in the order of a set."""

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        return row(event, " ".join({*event.names, "one", "two", "three", "four"}))
