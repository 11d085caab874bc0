"""The row that all four kinds of flight events become: one table, one set of columns."""

from dataclasses import dataclass

from executors.airline import Airline
from executors.airport import Airport
from executors.flight_report import FlightReport
from executors.plane import Plane
from executors.weather import Weather
from trivium import Int32, NormalizedEvent


class FlightEvent(NormalizedEvent):
    """Event of a flight, with the airline, the aircraft and the airports it concerns, and the weather it left in.

    `event_id` is the flight's, `event_time` its scheduled departure and `entity` its tail number. `delay_minutes` is
    negative for an early flight; `late` says whether it exceeds the pipeline's threshold. Facts nobody knows, or that a
    kind does not ask for, are null.
    """

    kind: str
    entity: str | None = None
    carrier: str
    airline: str | None = None
    flight_number: Int32
    origin: str
    origin_name: str | None = None
    destination: str
    destination_name: str | None = None
    destination_latitude: float | None = None
    destination_longitude: float | None = None
    distance_miles: Int32
    delay_minutes: Int32 | None = None
    late: bool | None = None
    air_time_minutes: Int32 | None = None
    manufacturer: str | None = None
    model: str | None = None
    seats: Int32 | None = None
    plane_year: Int32 | None = None
    temperature_fahrenheit: float | None = None
    wind_miles_per_hour: float | None = None
    visibility_miles: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts from the lookups about one flight; None where they have none."""

    plane: Plane | None
    origin: Airport | None
    destination: Airport | None
    airline: Airline | None
    weather: Weather | None = None


def flight_event(
    kind: str, report: FlightReport, facts: Facts, delay_minutes: int | None = None, late: bool | None = None
) -> FlightEvent:
    """Return the row of a report and the facts about its flight."""
    plane, origin, destination, weather = facts.plane, facts.origin, facts.destination, facts.weather
    return FlightEvent(
        event_id=report.flight_id,
        event_time=report.scheduled,
        kind=kind,
        entity=report.tail_number,
        carrier=report.carrier,
        airline=facts.airline.name if facts.airline else None,
        flight_number=report.flight_number,
        origin=report.origin,
        origin_name=origin.name if origin else None,
        destination=report.destination,
        destination_name=destination.name if destination else None,
        destination_latitude=destination.latitude if destination else None,
        destination_longitude=destination.longitude if destination else None,
        distance_miles=report.distance_miles,
        delay_minutes=delay_minutes,
        late=late,
        manufacturer=plane.manufacturer if plane else None,
        model=plane.model if plane else None,
        seats=plane.seats if plane else None,
        plane_year=plane.built if plane else None,
        temperature_fahrenheit=weather.temperature if weather else None,
        wind_miles_per_hour=weather.wind if weather else None,
        visibility_miles=weather.visibility if weather else None,
    )
