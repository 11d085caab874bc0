"""Rejects as rows of the dead-letter table: original bytes, place, reason, and what they were processed under."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock
from trivium.delivery.dead_letters.schema import PARKED, ROW_SCHEMA
from trivium.engine.author_line import code_columns
from trivium.engine.batch import Batch, RawBatch, source_column
from trivium.engine.original import original
from trivium.engine.outcomes import Outcomes, Reject

_NAME_LENGTH: Final = 200


def parked_letters(outcomes: Outcomes, sentences: Mapping[str, str]) -> list[Reject]:
    """Return what `dead_letter_rows` keeps of parked inputs; `sentences` say of each type why it is parked."""
    return [
        Reject(row, PARKED, PARKED, sentences[name], name, attempts=0)
        for name, rows in outcomes.parked.items()
        for row in rows.tolist()
    ]


def dead_letter_rows(
    rejects: Sequence[Reject], batch: Batch, days: Sequence[str | None] | None, pipeline: Pipeline, clock: Clock
) -> pa.Table:
    """Return one row a reject, in the dead-letter table's columns without `runtime`.

    `days` holds the source day of each row of the batch; None: the source has none.
    """
    places = np.array([reject.index for reject in rejects], np.int64)
    sources = source_column(batch.source, places).to_pylist()
    rejected_at = clock.now_us()
    rows = [
        {
            "pipeline": pipeline.name,
            "event_type": reject.event_type,
            "stage": reject.stage,
            "reason": reject.reason,
            "error": _error(reject, batch, pipeline),
            **code_columns(reject.raised_at),
            "attempts": reject.attempts,
            "value": _value(batch, reject.index),
            "value_format": "json" if isinstance(batch, RawBatch) else "columns",
            "source": source,
            "position": int(batch.positions[reject.index]),
            "source_day": None if days is None else days[reject.index],
            "executor": _version(pipeline, reject.event_type),
            "logic": pipeline.plan.logic_short,
            "plan": pipeline.plan.plan_short,
            "rejected_at": rejected_at,
        }
        for reject, source in zip(rejects, sources, strict=True)
    ]
    schema = pa.schema([column for column in ROW_SCHEMA if column.name != "runtime"])
    return pa.Table.from_pylist(rows, schema=schema)


def _error(reject: Reject, batch: Batch, pipeline: Pipeline) -> str:
    """Return the error; of a record whose type nobody declares, with the name that came beside it.

    The record does not hold that name, so that it could not be replayed without.
    """
    named = batch.types[reject.index] if isinstance(batch, RawBatch) and batch.types is not None else None
    if named is None or named in pipeline.executors:
        return reject.error
    header = pipeline.config.routing.header
    way = "topic" if header is None else f"header {header}"
    return f"{reject.error}; the type beside it (routing by {way}) is {json.dumps(named[:_NAME_LENGTH])}"


def _value(batch: Batch, row: int) -> bytes | None:
    return batch.values[row] if isinstance(batch, RawBatch) else original(batch.columns, row)


def _version(pipeline: Pipeline, event_type: str | None) -> str | None:
    bound = pipeline.executors.get(event_type or "")
    return bound.version if bound else None
