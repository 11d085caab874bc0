"""Rejects as rows of the dead-letter table: original bytes, place, reason, and what they were processed under."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from trivium.config.pipeline import Pipeline
from trivium.contract.clock import Clock
from trivium.delivery.dead_letters import ROW_SCHEMA
from trivium.engine.batch import Batch, RawBatch
from trivium.engine.outcomes import Reject
from trivium.engine.typed import original


def dead_letter_rows(
    rejects: Sequence[Reject], batch: Batch, day: str | None, pipeline: Pipeline, clock: Clock
) -> pa.Table:
    """One row a reject, in the dead-letter table's columns without `runtime`."""
    raw = isinstance(batch, RawBatch)
    rejected_at = clock.now_us()
    rows = [
        {
            "pipeline": pipeline.name,
            "event_type": reject.event_type,
            "stage": reject.stage,
            "reason": reject.reason,
            "error": reject.error,
            "attempts": reject.attempts,
            "value": batch.values[reject.index]
            if isinstance(batch, RawBatch)
            else original(batch.columns, reject.index),
            "value_format": "json" if raw else "columns",
            "source": batch.source,
            "position": int(batch.positions[reject.index]),
            "source_day": day,
            "executor": _version(pipeline, reject.event_type),
            "logic": pipeline.plan.logic_short,
            "plan": pipeline.plan.plan_short,
            "rejected_at": rejected_at,
        }
        for reject in rejects
    ]
    schema = pa.schema([column for column in ROW_SCHEMA if column.name != "runtime"])
    return pa.Table.from_pylist(rows, schema=schema)


def _version(pipeline: Pipeline, event_type: str | None) -> str | None:
    bound = pipeline.executors.get(event_type or "")
    return bound.version if bound else None
