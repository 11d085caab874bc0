"""Imports a harmless module when it is first needed."""

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        import colorsys  # noqa: PLC0415

        return row(event, colorsys.rgb_to_hsv(event.count % 7, 0.5, 0.25))
