"""Departures: a flight left its gate."""

from typing import Annotated

from msgspec import Meta

from executors.airline import Airline
from executors.airport import Airport
from executors.flight_event import Facts, FlightEvent, flight_event
from executors.flight_report import FlightReport
from executors.plane import Plane
from executors.weather import Weather
from trivium import Enrichment, Executor, ExecutorOptions, Hint, Int32


class Departure(FlightReport, tag="departure"):
    """A flight left its gate, `delay_minutes` after schedule; negative when it left early."""

    delay_minutes: Annotated[Int32, Meta(ge=-120)] | None = None


class DepartureExecutor(Executor[Departure, FlightEvent]):
    """A departure as a normalised flight event, with who flew it in which weather. Without a delay it is dropped."""

    class Options(ExecutorOptions):
        """From how many minutes of delay a departure counts as late."""

        late_after_minutes: int = 15

    options: Options

    plane = Enrichment(Plane, key="tail_number", missing="null", hints=Hint.CACHEABLE)
    origin_airport = Enrichment(Airport, key="origin", lookup="airport", missing="null", hints=Hint.CACHEABLE)
    destination_airport = Enrichment(Airport, key="destination", lookup="airport", missing="null", hints=Hint.CACHEABLE)
    airline = Enrichment(Airline, key="carrier", missing="null", hints=Hint.ASYNC | Hint.CACHEABLE)
    weather = Enrichment(Weather, key="origin", as_of="scheduled", missing="null", hints=Hint.ASYNC | Hint.CACHEABLE)

    def accepts(self, event: Departure) -> bool:
        """Return whether the departure says when it happened."""
        return event.delay_minutes is not None

    def process(
        self,
        event: Departure,
        plane: Plane | None,
        origin_airport: Airport | None,
        destination_airport: Airport | None,
        airline: Airline | None,
        weather: Weather | None,
    ) -> FlightEvent:
        """Return one row for a departure."""
        late = (event.delay_minutes or 0) > self.options.late_after_minutes
        facts = Facts(plane, origin_airport, destination_airport, airline, weather)
        return flight_event("departure", event, facts, event.delay_minutes, late)
