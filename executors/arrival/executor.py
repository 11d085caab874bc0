"""Arrivals: a flight reached its gate. Written in the column form: whole batches through Arrow's kernels."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from executors.airline import Airline
from executors.airport import Airport
from executors.flight_event import FlightEvent
from executors.flight_report import FlightReport
from executors.plane import Plane
from trivium import Enrichment, Executor, ExecutorOptions, Hint, Int32, RowErrors


class Arrival(FlightReport, tag="arrival"):
    """A flight reached its gate `delay_minutes` after schedule, after `air_time_minutes` in the air."""

    delay_minutes: Int32
    air_time_minutes: Int32


class ArrivalExecutor(Executor[Arrival, FlightEvent]):
    """An arrival as a normalised flight event. Flights too fast to be true are rejected."""

    class Options(ExecutorOptions):
        """From how many minutes of delay an arrival counts as late, and the highest believable speed."""

        late_after_minutes: int = 15
        fastest_miles_per_hour: int = Field(default=900, gt=0)

    options: Options

    plane = Enrichment(Plane, key="tail_number", missing="null", hints=Hint.CACHEABLE)
    origin_airport = Enrichment(Airport, key="origin", lookup="airport", missing="null", hints=Hint.CACHEABLE)
    destination_airport = Enrichment(Airport, key="destination", lookup="airport", missing="null", hints=Hint.CACHEABLE)
    airline = Enrichment(Airline, key="carrier", missing="null", hints=Hint.ASYNC | Hint.CACHEABLE)

    def process_batch(
        self,
        events: pa.RecordBatch,
        plane: pa.RecordBatch,
        origin_airport: pa.RecordBatch,
        destination_airport: pa.RecordBatch,
        airline: pa.RecordBatch,
    ) -> tuple[pa.RecordBatch, pa.Array]:
        """Return one row for each arrival.

        Raises:
            RowErrors: for arrivals that would have flown faster than `fastest_miles_per_hour`.
        """
        self._check_speed(events)
        same = ("carrier", "flight_number", "origin", "destination", "distance_miles", "delay_minutes")
        columns = {
            "event_id": events["flight_id"],
            "event_time": events["scheduled"],
            "kind": pa.repeat("arrival", events.num_rows),
            "entity": events["tail_number"],
            **{name: events[name] for name in same},
            "airline": airline["name"],
            "origin_name": origin_airport["name"],
            "destination_name": destination_airport["name"],
            "destination_latitude": destination_airport["latitude"],
            "destination_longitude": destination_airport["longitude"],
            "late": pc.greater(events["delay_minutes"], self.options.late_after_minutes),
            "air_time_minutes": events["air_time_minutes"],
            "manufacturer": plane["manufacturer"],
            "model": plane["model"],
            "seats": plane["seats"],
            "plane_year": plane["built"],
        }
        return pa.RecordBatch.from_pydict(columns), pa.array(np.arange(events.num_rows, dtype=np.int32))

    def _check_speed(self, events: pa.RecordBatch) -> None:
        miles = events["distance_miles"].to_numpy().astype(np.int64)
        minutes = events["air_time_minutes"].to_numpy().astype(np.int64)
        too_fast = np.flatnonzero(miles * 60 > minutes * self.options.fastest_miles_per_hour)
        if len(too_fast):
            limit = f"at most {self.options.fastest_miles_per_hour} miles per hour"
            raise RowErrors({int(i): f"expected {limit}, got {miles[i]} miles in {minutes[i]} min" for i in too_fast})
