"""Events without nested rows, for which answers need no Arrow."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import msgspec

from tests.support import rich_events as rich
from tests.support.flow_events import line, row_form
from trivium import Event, Executor, Float32, Int8, NormalizedEvent
from trivium.config.worker_spec import spec_of
from trivium.engine.blocking import BlockingRequests, BlockingWorker


class Plain(Event, tag="rich"):
    id: str
    at: datetime
    count: Annotated[int, msgspec.Meta(ge=-5)] = 7
    small: Int8 | None = None
    ratio: Float32 | None = None
    exact: rich.Money | None = None
    colour: rich.Colour = rich.Colour.RED
    blob: bytes | None = None
    day: date | None = msgspec.field(name="the-day", default=None)
    tags: Annotated[tuple[str, ...], msgspec.Meta(max_length=3)] | None = None


class PlainRow(NormalizedEvent):
    count: int
    small: Int8 | None = None
    ratio: Float32 | None = None
    exact: rich.Money | None = None
    colour: rich.Colour | None = None
    blob: bytes | None = None
    day: date | None = None
    tags: tuple[str, ...] | None = None


class Plains(Executor[Plain, PlainRow]):
    def process(self, event: Plain) -> Any:
        if event.id == "raise":
            raise ValueError("asked to")
        if event.id == "drop":
            return None
        copied = {name: getattr(event, name) for name in PlainRow.__struct_fields__[2:]}
        return PlainRow(event_id=event.id, event_time=event.at, **copied)


PLAIN = spec_of([Plains, row_form(line)])

PLAIN_WORKER, PLAIN_REQUESTS = BlockingWorker(PLAIN, {}), BlockingRequests(PLAIN, {})


def without_nulls(seen: Any) -> Any:
    """A row in the table has the columns of all executors, a row in an answer those of its own."""
    if not seen or seen[0] != "emitted":
        return seen
    return *seen[:2], [{name: value for name, value in row.items() if value is not None} for row in seen[2]], seen[3]
