"""Writes a time in whatever zone the machine is in."""

from datetime import datetime

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        return row(event, datetime.fromtimestamp(event.count % 1_000_000))  # noqa: DTZ006
