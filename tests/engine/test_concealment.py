"""Options quoted in an author's error stay out of dead letters and answers."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import Any

import pytest

from tests.support.engine_inputs import raw
from tests.support.flow_events import line, row_form
from trivium.config.worker_spec import WorkerSpec, spec_of
from trivium.core.errors import RunError
from trivium.engine.blocking import BlockingRequests, BlockingWorker

EVENT = b'{"event_type":"item","n":1}'


def pipeline(said: str, **secrets: str) -> WorkerSpec:
    def process(event: Any) -> Any:
        if event.n == 1:
            raise ValueError(said)
        return line(event)

    return replace(spec_of([row_form(process)]), secrets=secrets)


def said_of(pipeline: WorkerSpec) -> list[str]:
    [reject] = BlockingWorker(pipeline, {}).run(raw(EVENT)).rejects
    [answer] = BlockingRequests(pipeline, {}).answer(EVENT)
    assert answer.error is not None
    return [reject.error, answer.error]


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("salt s3cr3t-0ne is bad", '"s3cr3t-0ne"'),
        ("salt s3cr3t-0ne is bad", "s3cr3t-0ne"),
        ("salt " + repr('ge"heim\\ß') + " is bad", '"ge\\"heim\\\\\\u00df"'),
        ("url https://user:s3cr3t-0ne@host", '"https://user:s3cr3t-0ne@host"'),
    ],
)
def test_a_value_is_left_out_of_every_error(said: str, secret: str) -> None:
    for text in said_of(pipeline(said, salt=secret)):
        assert "ValueError" in text
        assert "s3cr3t" not in text
        assert "heim" not in text
        assert "(a value from a variable)" in text


def test_a_longer_value_is_taken_before_one_inside_it() -> None:
    for text in said_of(pipeline("s3cr3t-0ne-and-more", one='"s3cr3t-0ne"', two='"s3cr3t-0ne-and-more"')):
        assert "more" not in text


@pytest.mark.parametrize("value", ['"short"', "20", '"123456789"', "true", "[]", '""'])
def test_short_values_and_numbers_stay_what_they_are(value: str) -> None:
    for text in said_of(pipeline("20 minutes, short, 123456789, true []", option=value)):
        assert "20 minutes, short, 123456789, true []" in text


def test_other_rows_are_left_alone() -> None:
    done = BlockingWorker(pipeline("nothing", salt='"s3cr3t-0ne"'), {}).run(raw(EVENT, b'{"event_type":"item","n":2}'))
    assert [(each.index, each.error.count("nothing")) for each in done.rejects] == [(0, 1)]


def test_an_executor_that_does_not_open_says_so_without_the_value() -> None:
    def fail(_executor: Any, _artifacts: Any) -> None:
        raise ValueError("no s3cr3t-0ne here")

    opening = replace(spec_of([row_form(line, open=fail)]), secrets={"salt": '"s3cr3t-0ne"'})
    with pytest.raises(RunError, match=r"did not open: .*no .a value from a variable. here") as caught:
        BlockingWorker(opening, {})
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value)).replace('"no s3cr3t-0ne here"', "")
    plain = replace(opening, secrets={})
    with pytest.raises(RunError, match="no s3cr3t-0ne here") as caught:
        BlockingWorker(plain, {})
    assert isinstance(caught.value.__cause__, ValueError)
