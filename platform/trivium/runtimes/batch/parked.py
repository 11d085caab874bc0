"""Event types that a batch run leaves out, because their rejects look systemic and the breaker says to park them.

A parked type is left out whole: its rows, dead letters and coverage in the table stay as they were, and its inputs stay
where they are, in the archive. They are no parked letters, for a run over some days reads late events of other days,
which belong to none of its letters (`docs/decisions/0025-parked-types.md`). The record beside the table says of which
event days the type is still to be made.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock
from trivium.core.errors import RunError
from trivium.core.fault_points import reach
from trivium.delivery.commit.batch import RUNTIME
from trivium.delivery.commit.breaker_record import record_trip
from trivium.delivery.commit.parked_types import (
    ParkedDays,
    ParkedType,
    forget_days,
    parked_by,
    record_days,
    record_parked,
    take_parked,
)
from trivium.delivery.coverage.scope import Scope
from trivium.engine.breaker import SystemicRejects
from trivium.engine.outcomes import Counts

Parking = Literal["leave", "make"]
"""A run leaves out what is parked, and parks more; or it makes parked types anew, and stops where that does not go."""

_log = logging.getLogger(__name__)


class AllParked(RunError):
    """Every event type that a run was to make is parked."""


class BeginAgain(Exception):
    """An event type was parked: what the run made with it is not committed."""


def left_out(pipeline: Pipeline, parking: Parking) -> dict[str, ParkedType]:
    """Return the types of the pipeline that a run leaves out.

    Raises:
        AllParked: there is no other.
    """
    if parking == "make":
        return {}
    config = pipeline.config
    found = take_parked(config.table.path, RUNTIME, config.breaker, pipeline.executors)
    if len(found) == len(pipeline.executors):
        raise AllParked(
            f"every event type of this run is parked: {'; '.join(each.sentence for each in found.values())}. Try: mend "
            "the executor; or, if something else was wrong, trivium dead-letters replay CONFIG --parked "
            f"{next(iter(found))}"
        )
    return found


def tripped(pipeline: Pipeline, parking: Parking, error: SystemicRejects, clock: Clock) -> Exception:
    """Note why a run cannot go on; return what ends it: `BeginAgain` where its type was parked, else the error."""
    config, bound = pipeline.config, pipeline.executors.get(error.event_type or "")
    if config.breaker == "off" or config.breaker.then == "stop" or bound is None:
        record_trip(config.table.path, RUNTIME, config.breaker, pipeline.plan.logic, error)
        return error
    if parking == "make":
        return error
    parked = parked_by(config.breaker, bound, clock.now_us(), error.message)
    record_parked(config.table.path, RUNTIME, parked)
    _log.warning("%s: %s", config.table.path, parked.sentence)
    reach("park.recorded")
    return BeginAgain(bound.event_type)


def note_left_out(uri: str, scope: Scope, parked: Mapping[str, ParkedType], counts: Mapping[str, Counts]) -> None:
    """Note, before the commit of a run without them, of which days parked types are still to be made.

    Should the commit never come, making them is no loss.
    """
    for name in parked:
        record_days(uri, ParkedDays.of(name, scope.window, counts.get(name, Counts()).parked))


def note_made(uri: str, scope: Scope) -> None:
    """Note, after the commit of a run, that the days of its types are made."""
    for name in scope.types if not scope.left_out else ():
        forget_days(uri, name, scope.window)
