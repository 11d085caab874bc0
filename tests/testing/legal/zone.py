"""Names its time zone, and a zone of a file is read when it is first used."""

from zoneinfo import ZoneInfo

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        return row(event, event.at.astimezone(ZoneInfo("Australia/Lord_Howe")).isoformat())
