"""The range of event times: both days belong to it, in every form, over every door."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.support.flow_events import column_form, every, items, line, lines, row_form
from trivium.config.worker_spec import spec_of
from trivium.engine.blocking import BlockingRequests, BlockingWorker

TICK = timedelta(microseconds=1)
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
RANGES: dict[str, tuple[tuple[date, date], list[datetime], list[datetime]]] = {
    "all years": (
        (date.min, date.max),
        [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), END_OF_TIME],
        [],
    ),
    "one day": (
        (date(2024, 2, 29), date(2024, 2, 29)),
        [datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC) - TICK],
        [datetime(2024, 2, 29, tzinfo=UTC) - TICK, datetime(2024, 3, 1, tzinfo=UTC)],
    ),
    "up to the day before the last": (
        (date(999, 1, 1), date(9999, 12, 30)),
        [datetime(999, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC) - TICK],
        [datetime(9999, 12, 31, tzinfo=UTC), datetime(998, 12, 31, tzinfo=UTC), END_OF_TIME],
    ),
}


def executors(moment: datetime) -> list[Any]:
    def process(events: Any) -> Any:
        times = pa.array([moment] * events.num_rows, pa.timestamp("us", "UTC"))
        return lines(events).set_column(1, "event_time", times), every(events.num_rows)

    return [row_form(lambda event: line(event, event_time=moment)), column_form(process)]


@pytest.mark.parametrize("name", RANGES)
def test_both_days_belong_to_it(name: str) -> None:
    times, inside, outside = RANGES[name]
    for moment in [*inside, *outside]:
        for form in executors(moment):
            pipeline = spec_of([form], event_days=times)
            out = BlockingWorker(pipeline, {}).run(items([1]))
            answer = BlockingRequests(pipeline, {}).answer(items([1]).values[0] or b"")[0]
            if moment in inside:
                assert out.emitted["item"].rows.column("event_time").to_pylist() == [moment]
                assert answer.outcome == "emitted"
            else:
                (reject,) = out.rejects
                expected = f"event_time: expected {times[0]} to {times[1]}, got "
                assert reject.error.startswith(expected)
                assert answer.error == reject.error
