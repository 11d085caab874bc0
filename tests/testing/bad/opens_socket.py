"""Opens a socket while it processes."""

import socket

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        with socket.socket() as opened:
            return row(event, opened.family)
