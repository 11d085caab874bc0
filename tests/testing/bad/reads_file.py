"""Reads a file while it processes."""

from pathlib import Path

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        return row(event, Path("/etc/hostname").read_text())
