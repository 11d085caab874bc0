"""Departures."""

from datetime import datetime

from pydantic import Field, SecretStr

from executors.flight_event import FlightEvent, Plane
from executors.thresholds import LATE
from trivium import Enrichment, Event, Executor, ExecutorOptions


class Departure(Event, tag="departure"):
    """A departure."""

    flight_id: str
    scheduled: datetime
    tail_number: str | None = None
    delay_minutes: int | None = None


class DepartureExecutor(Executor[Departure, FlightEvent]):
    """Reads departures."""

    class Options(ExecutorOptions):
        """How late is late, and what signs the row."""

        late_after_minutes: int = Field(default=LATE, ge=0)
        strict: bool = False
        labels: tuple[str, ...] = ()
        token: SecretStr = SecretStr("")

    plane = Enrichment(Plane, key="tail_number", missing="null")

    def process(self, event: Departure, plane: Plane | None) -> FlightEvent:  # type: ignore[override]
        """One row."""
        late = (event.delay_minutes or 0) > self.options.late_after_minutes
        return FlightEvent(
            event_id=event.flight_id, event_time=event.scheduled, late=late, seats=plane.seats if plane else None
        )
