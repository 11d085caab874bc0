"""Generated records, sound and broken, through every way into the worker: they are answered alike, in any company."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import rich_events as rich
from tests.support.engine_inputs import raw
from tests.support.plain_events import PLAIN, PLAIN_REQUESTS, PLAIN_WORKER, without_nulls
from tests.support.recorded_lookup import Seen, of_answer, of_outcomes
from trivium.config.worker_spec import spec_of
from trivium.engine.blocking import BlockingRequests, BlockingWorker
from trivium.engine.decoding.record_checks import FAILURES
from trivium.engine.requests.body import MalformedBody, events_of
from trivium.samples.edge_cases import records

_TOGETHER: Final = 10
_SPACE: Final = b" \t\r\n"
COLUMNS: Final = rich.RichRow.__struct_fields__
ROWS, COLUMN_FORM = (spec_of([form]) for form in (rich.Rows, rich.Columns))
WAYS: Final = [(BlockingWorker(pipeline, {}), BlockingRequests(pipeline, {})) for pipeline in (ROWS, COLUMN_FORM)]
SOUND: Final = records(ROWS.executors["rich"].declaration, "event_type")
RECORDS: Final = st.lists(SOUND | rich.mutated() | rich.ODD, min_size=1, max_size=_TOGETHER)


def differ(examples: int) -> int:
    """Try so many lists of records; how many records there were."""
    tried = 0

    @settings(
        max_examples=examples, database=None, derandomize=True, deadline=None,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(RECORDS)
    def check(values: list[bytes]) -> None:
        nonlocal tried
        tried += len(values)
        together, *others = (seen for worker, requests in WAYS for seen in ways(worker, requests, values))
        assert all(alike(seen, together) for seen in others)
        plain = list(map(without_nulls, of_outcomes(PLAIN_WORKER.run(raw(*values)), PLAIN.table_columns.names)))
        assert alike(list(map(without_nulls, asked(PLAIN_REQUESTS, values))), plain)

    check()
    return tried


def ways(worker: BlockingWorker, requests: BlockingRequests, values: Sequence[bytes]) -> list[list[Seen]]:
    """A batch, batches of one, requests."""
    alone = [of_outcomes(worker.run(raw(value)), COLUMNS)[0] for value in values]
    return [of_outcomes(worker.run(raw(*values)), COLUMNS), alone, asked(requests, values)]


def asked(requests: BlockingRequests, values: Sequence[bytes]) -> list[Seen]:
    """One request for all, if a body can hold them side by side; one for each where a body can hold it alone."""
    body = b"[" + b",".join(values) + b"]"
    if told_apart(body, values):
        return list(map(of_answer, requests.answer(body, max_events=_TOGETHER)))
    return [() if value.lstrip(_SPACE)[:1] == b"[" else of_answer(requests.answer(value)[0]) for value in values]


def told_apart(body: bytes, values: Sequence[bytes]) -> bool:
    """Whether a body that holds these records is taken apart into them. Records that are no JSON may form others."""
    try:
        apart = events_of(body, 10 * _TOGETHER) == [value.strip(_SPACE) for value in values]
    except MalformedBody:
        apart = False
    assert apart or not all(map(is_json, values)), body
    return apart


def is_json(value: bytes) -> bool:
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except FAILURES:
        return False
    return True


def alike(seen: Sequence[Seen], other: Sequence[Seen]) -> bool:
    """Whether records were answered alike, those aside that no request can carry.

    The forms put a reject into words of their own; its stage and reason are the same.
    """
    pairs = [(one, two) for one, two in zip(seen, other, strict=True) if one]
    return all(
        (one[:4] if one[0] == "rejected" else one) == (two[:4] if two[0] == "rejected" else two) for one, two in pairs
    )


def test_a_few_thousand_records() -> None:
    assert differ(600) >= 2_000


def test_records_that_form_others_side_by_side() -> None:
    """Two cut ones around a sound one: as many events, but others. Of a body that is no JSON nobody can tell."""
    values = [b'"', rich.GOOD, b'",1,1']
    body = b"[" + b",".join(values) + b"]"
    assert len(events_of(body, _TOGETHER)) == len(values)
    assert not told_apart(body, values)
    together, *others = (seen for worker, requests in WAYS for seen in ways(worker, requests, values))
    assert all(alike(seen, together) for seen in others)
    assert [seen[0] for seen in together] == ["rejected", "emitted", "rejected"]


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_records() -> None:
    assert differ(25_000) >= 100_000
