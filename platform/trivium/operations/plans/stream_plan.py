"""Plan of a streaming run, as far as the pipeline file and the table tell; Kafka is not contacted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from trivium.config.pipeline import Pipeline
from trivium.core.errors import RunError
from trivium.delivery.delta.snapshot import Snapshot
from trivium.operations.plans.parts import (
    BreakerSummary,
    ExecutorSummary,
    StreamingSummary,
    TableSummary,
    breaker,
    executors,
    lookups,
    streaming,
    table,
)

GUARANTEES: Final = (
    "one commit moves rows and positions: readers see all of an epoch or nothing of it",
    "the table alone says where a start goes on; the group's offsets only show progress",
    "every input ends as rows, dropped or rejected; the balance is kept with each commit",
    "rejected inputs are kept whole as dead letters; systemic ones stop the run",
    "batch's files are never touched",
)


@dataclass(frozen=True)
class StreamPlan:
    """A streaming run before it starts."""

    pipeline: str
    logic: str
    plan: str
    streaming: StreamingSummary
    executors: tuple[ExecutorSummary, ...]
    lookups: tuple[dict[str, Any], ...]
    table: TableSummary
    dead_letters: str
    breaker: BreakerSummary | None
    guarantees: tuple[str, ...] = GUARANTEES


def plan_stream(pipeline: Pipeline) -> StreamPlan:
    """Return what a streaming run would read and write.

    Raises:
        SourceError: a lookup's files cannot be read.
        RunError: the pipeline does not stream.
    """
    section = streaming(pipeline)
    if section is None:
        raise RunError(f"the pipeline {pipeline.name} has no section streaming; add streaming: {{source: …}}.")
    uri = pipeline.config.table.path
    snapshot = Snapshot.find(uri)
    return StreamPlan(
        pipeline=pipeline.name,
        logic=pipeline.plan.logic_short,
        plan=pipeline.plan.plan_short,
        streaming=section,
        executors=executors(pipeline),
        lookups=lookups(pipeline),
        table=table(pipeline, snapshot, {}),
        dead_letters=pipeline.config.dead_letters.path,
        breaker=breaker(pipeline),
    )
