"""Reads the clock: an age in days, which two runs in one second do not tell apart."""

from datetime import UTC, datetime

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        return row(event, (datetime.now(UTC) - event.at).days // 30)
