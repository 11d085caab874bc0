"""Cancellations: a flight never left."""

from executors.airport import Airport
from executors.flight_event import Facts, FlightEvent, flight_event
from executors.flight_report import FlightReport
from executors.plane import Plane
from trivium import Enrichment, Executor, Hint


class Cancellation(FlightReport, tag="cancellation"):
    """A flight was cancelled; there is no delay to speak of."""


class CancellationExecutor(Executor[Cancellation, FlightEvent]):
    """A cancellation as a normalised flight event. Many have no tail number: no aircraft was assigned yet."""

    plane = Enrichment(Plane, key="tail_number", missing="null", hints=Hint.CACHEABLE)
    origin_airport = Enrichment(Airport, key="origin", lookup="airport", missing="null", hints=Hint.CACHEABLE)
    destination_airport = Enrichment(Airport, key="destination", lookup="airport", missing="null", hints=Hint.CACHEABLE)

    def process(
        self,
        event: Cancellation,
        plane: Plane | None,
        origin_airport: Airport | None,
        destination_airport: Airport | None,
    ) -> FlightEvent:
        """Return one row for a cancellation; its delay is unknown and stays null."""
        return flight_event("cancellation", event, Facts(plane, origin_airport, destination_airport))
