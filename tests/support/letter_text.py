"""The text of an error as a dead letter keeps it."""

from __future__ import annotations

import io

import pyarrow.parquet as pq

from tests.support.flow_events import line, row_form
from tests.support.pipelines import pipeline_of
from trivium.core.clock import SystemClock
from trivium.engine.batch import RawBatch
from trivium.engine.outcomes import Reject
from trivium.runtimes.dead_letter_rows import dead_letter_rows


def read_back(reject: Reject, batch: RawBatch) -> str:
    pipeline = pipeline_of([row_form(line)])
    letters, file = dead_letter_rows([reject], batch, None, pipeline, SystemClock()), io.BytesIO()
    pq.write_table(letters, file)
    (letter,) = pq.read_table(file).to_pylist()
    assert letter["value"] == batch.values[reject.index]
    assert letter["reason"] == reject.reason
    text: str = letter["error"]
    return text
