"""Says what an environment variable holds."""

import os

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        return row(event, os.environ.get("SIGHTING_PREFIX", "seen"))
