"""Code an author may write: both checkers find nothing in this file, and know these types."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, assert_type
from uuid import UUID

import numpy as np
import pyarrow as pa

import trivium
from trivium import (
    Answer,
    BatchSource,
    Deadline,
    Enrichment,
    Event,
    Executor,
    ExecutorOptions,
    Hint,
    Int32,
    Lookup,
    Meta,
    NormalizedEvent,
    RawJson,
    RejectError,
    Row,
    SourcePart,
    SourceRequest,
    SourceSettings,
    TransientError,
    field,
)


class Plane(Row):
    """An aircraft."""

    seats: Int32 | None = None
    maker: str


class Flight(Event, tag="flight"):
    """Fields with and without default may stand in any order."""

    tail: str | None = None
    at: datetime
    delay: Annotated[Int32, Meta(ge=-120)] | None = None
    day: date | None = field(name="on-day", default=None)
    stops: tuple[str, ...] = ()


class LongFlight(Flight, tag="long"):
    """An event of an event."""

    miles: int
    booking: UUID | None = None
    baggage: dict[str, int] | None = None
    notes: RawJson | None = None


class FlightRow(NormalizedEvent):
    """A row."""

    late: bool | None = None
    seats: Int32 | None = None


class Options(ExecutorOptions):
    """Options may stand outside the class, too."""

    factor: float = 1.0


class RowForm(Executor[LongFlight, FlightRow]):
    """One event at a time."""

    class Options(ExecutorOptions):
        """Options."""

        late_after: int = 15

    options: Options
    plane = Enrichment(Plane, key="tail", missing="null", hints=Hint.CACHEABLE)

    def accepts(self, event: LongFlight) -> bool:
        """Only flights of some length."""
        assert_type(event.miles, int)
        return event.miles > 0

    def process(self, event: LongFlight, plane: Plane | None) -> FlightRow | None:
        """One row or none."""
        assert_type(event.delay, int | None)
        assert_type(self.options.late_after, int)
        assert_type(event.stops, tuple[str, ...])
        assert_type(event.baggage, dict[str, int] | None)
        assert_type(event.notes, str | None)
        if event.delay is None:
            return None
        if event.delay > 10_000:
            raise RejectError("too late to be true")
        late = event.delay > self.options.late_after
        seats = plane.seats if plane else None
        return FlightRow(event_id=event.tail or "", event_time=event.at, late=late, seats=seats)

    def is_retryable(self, error: Exception) -> bool:
        """Try again what is busy."""
        return isinstance(error, TransientError)


class SeveralRows(Executor[Flight, FlightRow]):
    """Several rows an event, no enrichment, no options."""

    def process(self, event: Flight) -> Sequence[FlightRow]:
        """One row a stop."""
        return [FlightRow(event_id=stop, event_time=event.at) for stop in event.stops]


class ColumnForm(Executor[Flight, FlightRow]):
    """Columns in, columns out."""

    plane = Enrichment(Plane, key="tail")

    def process_batch(self, events: pa.RecordBatch, plane: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        """Every event one row."""
        rows = pa.RecordBatch.from_pydict(
            {"event_id": events["tail"], "event_time": events["at"], "seats": plane["seats"]}
        )
        return rows, pa.array(np.arange(events.num_rows, dtype=np.int32))


class ManyKeys(Executor[Flight, FlightRow]):
    """Keys of several fields, of lists, of other facts, of methods, and as of a time."""

    leg = Enrichment(Plane, key=("tail", "at"), missing="null")
    stop = Enrichment(Plane, key="stops", missing="null")
    maker = Enrichment(Plane, key="stop.maker", missing="null", as_of="at")
    letter = Enrichment(Plane, key="first_letter", default=Plane(maker="none"))

    def first_letter(self, event: Flight) -> str | None:
        """No key without a tail."""
        return event.tail[:1] if event.tail else None

    def process(
        self,
        event: Flight,
        leg: Plane | None,
        stop: tuple[Plane | None, ...] | None,
        maker: tuple[Plane | None, ...] | None,
        letter: Plane,
    ) -> FlightRow:
        """Lists are tuples of rows."""
        first = stop[0] if stop else None
        assert_type(first, Plane | None)
        makers = [each.maker for each in maker or () if each is not None]
        assert_type(makers, list[str])
        seats = first.seats if first else letter.seats
        return FlightRow(event_id=event.tail or "", event_time=event.at, seats=seats, late=leg is None)


class Nothing:
    """A lookup that knows nothing."""

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """No key is known."""
        return Answer(pa.RecordBatch.from_pydict({"maker": pa.array([], pa.string())}), pa.nulls(len(keys), pa.int32()))


lookup: Lookup = Nothing()
result = trivium.run(RowForm, [{"tail": "N1"}], lookups={"plane": lookup})
assert_type(result.rows, pa.Table)


class Days:
    """A source of one part."""

    schema: pa.Schema = pa.schema([("tail", pa.string())])

    class Settings(SourceSettings):
        """One key of its own."""

        rows: int = 3

    def __init__(self, settings: Settings, request: SourceRequest) -> None:
        """Take what is asked."""
        self._rows, self._columns = settings.rows, request.columns

    def parts(self) -> Iterator[SourcePart]:
        """One part."""
        yield SourcePart(name="all", rows=self._rows, version="1", day=date(2026, 3, 1))

    def version(self, name: str) -> str | None:
        """It never changes."""
        return "1" if name == "all" else None

    def read(self, name: str, rows: range) -> Iterator[pa.RecordBatch]:
        """Yield empty texts."""
        yield pa.record_batch([pa.array([""] * len(rows))], schema=self.schema)


source: BatchSource = Days(Days.Settings(type="days:Days"), SourceRequest(columns=("tail",)))
assert_type(source.version("all"), str | None)
