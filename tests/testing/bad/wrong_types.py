"""Returns a number for a text, but only for large counts."""

from tests.support.sighting import Sighting, SightingRow
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        said = f"{event.count}" if event.count < 1000 else event.count
        return SightingRow(event_id=event.id, event_time=event.at, said=said)  # type: ignore[arg-type]
