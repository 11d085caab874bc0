"""Keeps a pipeline's tables small and quick to open, beside running batches and streams.

First the table, then its dead letters; the steps are those of `delivery.maintenance.upkeep`.

The retention is at least a day. It bounds how long after its writing a file may be committed, how long a reader may
hold on to a version, and how far clocks of writers and storage may differ; within a day each of them is beyond doubt,
and a shorter one would save space at the price of a stopped run or an empty reading.
"""

from __future__ import annotations

import logging
from typing import Final

from trivium.core.clock import Clock, SystemClock
from trivium.delivery.delta.log_check import check_log
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.maintenance.upkeep import (
    DEFAULT_HOURS,
    US_PER_HOUR,
    Maintained,
    Upkeep,
    foresee,
    keep_up,
    upkeeps,
)
from trivium.operations.errors import ArgumentError
from trivium.operations.tables import Tables, check_columns, existing

_log = logging.getLogger(__name__)

SHORTEST_HOURS: Final = 24


def maintain(tables: Tables, retention_hours: int = DEFAULT_HOURS, clock: Clock | None = None) -> list[Maintained]:
    """Maintain a pipeline's table and its dead letters. Every version of the last `retention_hours` stays readable.

    Of a table that is no pipeline's only a torn log is mended, if it is torn.

    Raises:
        ArgumentError: there is no table, it is no pipeline's, or the retention is too short.
        UnsupportedFeature: another engine gave one of the tables a feature that is not kept to here.
        DeliveryError: a step could not be taken; what was done until then is whole.
    """
    clock = clock or SystemClock()
    cutoff_us = _cutoff(retention_hours, clock)
    mended = check_log(tables.table)
    if mended and Snapshot.latest(existing(tables.table)).pipeline is None:
        _log.warning("%s is no pipeline's table: its log was mended, nothing else was done", tables.table)
        return []
    return [keep_up(upkeep, cutoff_us, clock) for upkeep in _upkeeps(tables)]


def preview(tables: Tables, retention_hours: int = DEFAULT_HOURS, clock: Clock | None = None) -> list[Maintained]:
    """Return what `maintain` would do now; changes nothing. How small compacted files get is not known before."""
    cutoff_us = _cutoff(retention_hours, clock or SystemClock())
    return [foresee(upkeep, cutoff_us) for upkeep in _upkeeps(tables)]


def _cutoff(retention_hours: int, clock: Clock) -> int:
    if retention_hours < SHORTEST_HOURS:
        raise ArgumentError(
            f"expected a retention of {SHORTEST_HOURS} hours or more, got {retention_hours}: files of a running batch "
            f"or stream that are not committed yet look like orphans. Try: --retention-hours {SHORTEST_HOURS}"
        )
    return clock.now_us() - retention_hours * US_PER_HOUR


def _upkeeps(tables: Tables) -> list[Upkeep]:
    table = Snapshot.latest(existing(tables.table))
    if table.pipeline is None:
        message = f"{tables.table} is no pipeline's table, so its files are not Trivium's to arrange or remove"
        raise ArgumentError(f"{message}. Try: a pipeline file, or the path of its table")
    check_columns(tables.table, table)
    return upkeeps(tables.table, tables.dead_letters)
