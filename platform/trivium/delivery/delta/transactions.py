"""Names of the Delta transactions a table carries: its positions, generations and what batch has covered.

Delta looks a transaction up by its exact name only; nothing can list them, so every name is made here.
"""

from __future__ import annotations

from typing import Final

ALL_DAYS: Final = "all"
"""The source day of a source that has no days."""

REMEMBERED_RUNS: Final = 1000
"""Batch runs of which a table knows what they claimed and whether they committed; an older one counts as ended."""


def generation(pipeline: str, runtime: str) -> str:
    """Name the transaction that holds the newest run of a runtime."""
    return f"{pipeline}/{runtime}/generation"


def run_token(pipeline: str, runtime: str) -> str:
    """Name that of a random number of the run that took the generation: it tells apart two runs that took the same."""
    return f"{pipeline}/{runtime}/run"


def claim(pipeline: str, number: int) -> str:
    """Name that of the token of the batch run that took a number; see `commit.claims`. Numbers share names in turn."""
    return f"{pipeline}/batch/claim/{number % REMEMBERED_RUNS}"


def landed(pipeline: str, run: int) -> str:
    """Name that of the number of a batch run that has committed. Numbers share names in turn."""
    return f"{pipeline}/batch/landed/{run % REMEMBERED_RUNS}"


def committed(pipeline: str) -> str:
    """Name that of the generation of the newest batch commit."""
    return f"{pipeline}/batch/committed"


def whole(pipeline: str) -> str:
    """Name that of the newest batch commit without a window: nothing of an older one counts any more."""
    return f"{pipeline}/batch/whole"


def source_day(pipeline: str, day: str | None) -> str:
    """Name that of the generation whose commit holds a source day (None: the source has no days)."""
    return f"{pipeline}/batch/source_day/{day or ALL_DAYS}"


def coverage(pipeline: str, day: str) -> str:
    """Name that of the batch run whose document holds the coverage of an event day; see `coverage`."""
    return f"{pipeline}/batch/coverage/{day}"


def coverage_of_all_days(pipeline: str) -> str:
    """Name that of the newest run over all event days: its document covers every day without a younger one."""
    return f"{pipeline}/batch/coverage/{ALL_DAYS}"


def retired(pipeline: str, event_type: str) -> str:
    """Name that of a random number of the newest removal of an event type's rows."""
    return f"{pipeline}/retired/{event_type}"


def replayed(pipeline: str) -> str:
    """Name that of the newest replay of dead letters: in the table, which decides, and then in that of the letters."""
    return f"{pipeline}/replay/committed"


def widening(pipeline: str) -> str:
    """Name that of 1 while columns have a wider type than files may have, 0 once no file is narrower."""
    return f"{pipeline}/widening"


def dead_letters(pipeline: str, generation: int) -> str:
    """Name, in the dead-letter table, that of a generation that has appended. Numbers share names in turn."""
    return f"{pipeline}/batch/dead_letters/{generation % REMEMBERED_RUNS}"


def position(pipeline: str, partition: str) -> str:
    """Name that of the next offset to read of a partition, named topic/number."""
    return f"{pipeline}/{partition}"


def identity(pipeline: str, topic: str) -> str:
    """Name that of the topic's and the cluster's identity: 63 bits of a hash of both ids."""
    return f"{pipeline}/{topic}/identity"


def position_epoch(pipeline: str, topic: str) -> str:
    """Name that of the number of resets of a topic by an operator."""
    return f"{pipeline}/{topic}/position_epoch"
