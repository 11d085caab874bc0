"""The event and the row that the executors of these tests share."""

from datetime import datetime

from trivium import Event, NormalizedEvent


class Sighting(Event, tag="sighting"):
    id: str
    at: datetime
    count: int
    names: tuple[str, ...] = ()
    seconds: float = 0.0


class SightingRow(NormalizedEvent):
    said: str


def row(event: Sighting, said: object) -> SightingRow:
    return SightingRow(event_id=event.id, event_time=event.at, said=str(said))
