"""Cancellations: a flight never left."""

from executors.airline import Airline
from executors.airport import Airport
from executors.flight_event import Facts, FlightEvent, flight_event
from executors.flight_report import FlightReport
from executors.plane import Plane
from executors.weather import Weather
from trivium import Enrichment, Executor, Hint


class Cancellation(FlightReport, tag="cancellation"):
    """A flight was cancelled; there is no delay to speak of."""


class CancellationExecutor(Executor[Cancellation, FlightEvent]):
    """A cancellation as a normalised flight event. Many have no tail number: no aircraft was assigned yet."""

    plane = Enrichment(Plane, key="tail_number", missing="null", hints=Hint.CACHEABLE)
    origin_airport = Enrichment(Airport, key="origin", lookup="airport", missing="null", hints=Hint.CACHEABLE)
    destination_airport = Enrichment(Airport, key="destination", lookup="airport", missing="null", hints=Hint.CACHEABLE)
    airline = Enrichment(Airline, key="carrier", missing="null", hints=Hint.ASYNC | Hint.CACHEABLE)
    weather = Enrichment(Weather, key="origin", as_of="scheduled", missing="null", hints=Hint.ASYNC | Hint.CACHEABLE)

    def process(
        self,
        event: Cancellation,
        plane: Plane | None,
        origin_airport: Airport | None,
        destination_airport: Airport | None,
        airline: Airline | None,
        weather: Weather | None,
    ) -> FlightEvent:
        """Return one row for a cancellation; its delay is unknown and stays null."""
        return flight_event("cancellation", event, Facts(plane, origin_airport, destination_airport, airline, weather))
