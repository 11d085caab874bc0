"""An executor as somebody would write it in a notebook, and events for each of its outcomes."""

from datetime import datetime
from typing import Any

from trivium import Enrichment, Event, Executor, ExecutorOptions, Int32, NormalizedEvent, RejectError, Row


class Departure(Event, tag="departure"):
    flight: str
    scheduled: datetime
    tail_number: str | None = None
    delay: Int32 | None = None


class Plane(Row):
    model: str
    year: Int32 | None = None


class Flown(NormalizedEvent):
    delay: Int32
    late: bool
    model: str | None = None


class DepartureExecutor(Executor[Departure, Flown]):
    class Options(ExecutorOptions):
        late_after: int = 15

    plane = Enrichment(Plane, key="tail_number", missing="null")

    def process(self, event: Departure, plane: Plane | None) -> Flown | None:
        if event.delay is None:
            return None
        if event.delay < -120:
            raise RejectError("too early")
        return Flown(
            event_id=event.flight,
            event_time=event.scheduled,
            delay=event.delay,
            late=event.delay > self.options.late_after,
            model=plane.model if plane else None,
        )


MOMENT = "2024-01-01T08:00:00Z"
PLANES = {"N1": {"model": "737"}, "N2": {"model": "A320", "year": 1999}}


def event(flight: str = "A", **fields: Any) -> dict[str, Any]:
    """An event that is emitted unless a field says otherwise."""
    return {"flight": flight, "scheduled": MOMENT, "delay": 20, **fields}
