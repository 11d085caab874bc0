"""Asks another system, by way of a module of its own that uses a library."""

from tests.support.sighting import Sighting, SightingRow, row
from tests.testing.bad import weather_of
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        return row(event, weather_of.weather(event.at.date().isoformat()))
