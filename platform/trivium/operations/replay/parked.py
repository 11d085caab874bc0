"""Everything of a parked event type, processed by today's executor: a stream's letters, and batch's days."""

from __future__ import annotations

from dataclasses import dataclass

from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock
from trivium.delivery.commit.batch import RUNTIME as BATCH
from trivium.delivery.commit.parked_types import forget_parked, parked_days, parked_types
from trivium.delivery.commit.positions import RUNTIME as STREAMING
from trivium.delivery.coverage.scope import Window
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.operations.errors import ArgumentError
from trivium.operations.replay.run import ReplayReport, replay_parked
from trivium.operations.tables import letters_table, owned
from trivium.runtimes.batch.prepare import BatchArguments
from trivium.runtimes.batch.report import BatchReport
from trivium.runtimes.batch.run import run_batch


@dataclass(frozen=True)
class MadeDays:
    """Days of batch that a parked type was made of; `window` None: all of the source."""

    window: Window | None
    report: BatchReport


@dataclass(frozen=True)
class Processed:
    """The result of a replay. `letters` is None where a stream had parked nothing."""

    event_type: str
    letters: ReplayReport | None
    days: tuple[MadeDays, ...]


def process_parked(pipeline: Pipeline, event_type: str, clock: Clock, address: str | None = None) -> Processed:
    """Process the parked inputs of an event type; `address` is Ray's, for the days that batch left out.

    Raises:
        ArgumentError: there is no table yet.
        SystemicRejects: the executor rejects most of them still; they stay parked.
        TriviumError: the message says why and what to do; what was committed stays.
    """
    pipeline.of_types([event_type])
    config = pipeline.config
    owned(config.table.path, pipeline.name)
    letters = replay_parked(pipeline, event_type, clock) if _has_letters(pipeline, event_type) else None
    days = parked_days(config.table.path).get(event_type, [])
    if days and config.batch is None:
        message = f"batch has left out {event_type}, and the pipeline {pipeline.name} has no section batch any more"
        raise ArgumentError(f"{message}. Try: the file with its source, for this command")
    made = []
    for each in days:
        window = each.window
        start, end = (None, None) if window is None else (window.start, window.end)
        arguments = BatchArguments(start, end, address=address, types=(event_type,), parked="make")
        made.append(MadeDays(window, run_batch(pipeline, arguments, clock)))
    forget_parked(config.table.path, BATCH, event_type)
    return Processed(event_type, letters, tuple(made))


def _has_letters(pipeline: Pipeline, event_type: str) -> bool:
    config = pipeline.config
    if event_type in parked_types(config.table.path, STREAMING):
        return True
    uri = letters_table(config.dead_letters.path)
    return uri is not None and bool(dead_letters.count(uri, config.table.path).parked.get(event_type))
