"""Rows an executor returned, held to their declaration: a value of a wrong type is a reject that names its field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engine_inputs import MOMENT, Kept, Probe, json_of, outcomes
from tests.support.row_values import CASES, GOOD, PLAIN, Given
from trivium import Event, Executor, NormalizedEvent
from trivium.config.worker_spec import spec_of
from trivium.contract.rows import RowMeta
from trivium.engine.blocking import BlockingWorker
from trivium.engine.outcomes import Outcomes


def returning(annotation: Any, value: Any, good: Any) -> Outcomes:
    """Two good rows around one that holds `value`."""
    body = {"__annotations__": {"value": annotation}, "__module__": __name__}
    row: Any = RowMeta("Made", (NormalizedEvent,), body)

    class Made(Executor[Given, row]):  # type: ignore[valid-type]
        def process(self, event: Given) -> Any:
            return row(event_id="x", event_time=MOMENT, value=value if event.value == 1 else good)

    return BlockingWorker(spec_of([Made]), {}).run(json_of("0", "1", "2"))


@pytest.mark.parametrize("name", CASES)
def test_a_returned_value(name: str) -> None:
    annotation, value, expected = CASES[name]
    good, read = GOOD.get(name) or PLAIN[annotation]
    out = returning(annotation, value, good)
    assert outcomes(out) == [Kept(read), expected, Kept(read)]
    assert all(reject.error.startswith("value: ") for reject in out.rejects)
    assert all(reject.stage == "validate" for reject in out.rejects)


def test_rows_have_the_columns_of_their_own_type() -> None:
    class Left(NormalizedEvent):
        left: int

    class Right(NormalizedEvent):
        right: str

    class Second(Event, tag="second"):
        value: int

    class MakesLeft(Executor[Given, Left]):
        def process(self, event: Given) -> Left:
            return Left(event_id="x", event_time=MOMENT, left=event.value)

    class MakesRight(Executor[Second, Right]):
        def process(self, event: Second) -> Right:
            return Right(event_id="x", event_time=MOMENT, right=str(event.value))

    out = BlockingWorker(spec_of([MakesLeft, MakesRight]), {}).run(json_of('1,"event_type":"second"', "2"))
    second, given = out.emitted["second"].rows, out.emitted["given"].rows
    assert (second.column("right").to_pylist(), given.column("left").to_pylist()) == (["1"], [2])
    assert set(second.schema.names) - set(given.schema.names) == {"right"}
    assert set(given.schema.names) - set(second.schema.names) == {"left"}


def test_output_rows_have_no_wire_names() -> None:
    probe = Probe(int, wire="on-the-wire")
    out = probe.workers()["Rows"].run(json_of("1", wire="on-the-wire"))
    assert "value" in out.emitted["given"].rows.schema.names
