"""Diversions: a flight left and did not arrive where it was meant to."""

from executors.airline import Airline
from executors.airport import Airport
from executors.flight_event import Facts, FlightEvent, flight_event
from executors.flight_report import FlightReport
from executors.plane import Plane
from trivium import Enrichment, Executor, Hint, Int32, RejectError


class Diversion(FlightReport, tag="diversion"):
    """A flight landed elsewhere. `delay_minutes` is its delay at departure."""

    delay_minutes: Int32


class DiversionExecutor(Executor[Diversion, FlightEvent]):
    """A diversion as a normalised flight event; whether a flight that never arrived is late stays open (null)."""

    plane = Enrichment(Plane, key="tail_number", missing="null", hints=Hint.CACHEABLE)
    origin_airport = Enrichment(Airport, key="origin", lookup="airport", missing="null", hints=Hint.CACHEABLE)
    destination_airport = Enrichment(Airport, key="destination", lookup="airport", missing="null", hints=Hint.CACHEABLE)
    airline = Enrichment(Airline, key="carrier", missing="null", hints=Hint.ASYNC | Hint.CACHEABLE)

    def process(
        self,
        event: Diversion,
        plane: Plane | None,
        origin_airport: Airport | None,
        destination_airport: Airport | None,
        airline: Airline | None,
    ) -> FlightEvent:
        """Return one row for a diversion.

        Raises:
            RejectError: nobody diverts from an airport to itself; a flight that returned is told otherwise.
        """
        if event.origin == event.destination:
            message = f"expected a destination other than the origin, got {event.destination} for both"
            raise RejectError(message)
        facts = Facts(plane, origin_airport, destination_airport, airline)
        return flight_event("diversion", event, facts, event.delay_minutes)
