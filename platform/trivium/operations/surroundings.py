"""Surroundings of a pipeline that a run would miss: its archive's folder, its lookups' files, its topics, its API keys.

A pipeline file can be right on a machine that has none of these, so what is missing is no problem of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trivium.config.key_file import read_keys
from trivium.config.pipeline import BoundLookup, Pipeline
from trivium.connectors import check_lookup, open_source, place_of
from trivium.connectors.kafka.cluster import KafkaLog
from trivium.contract.lookup_settings import LookupSettings
from trivium.contract.source import SourceSettings
from trivium.core.clock import Clock, SystemClock
from trivium.core.errors import SourceError, TriviumError
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import SchemaConflict
from trivium.operations.plans.columns import column_conflicts


@dataclass(frozen=True)
class Missing:
    """Something a run would not find, or could not read as declared: where the file names it, and the reason."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass
class Surroundings:
    """Things missing around a pipeline, and notes for a person on its archive and its lookups."""

    missing: list[Missing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def look_here(pipeline: Pipeline) -> Surroundings:
    """Look at the archive and the lookups that lie on this machine: their files and columns, no rows."""
    return _found(pipeline, lambda section: "://" not in place_of(section))


def look_everywhere(pipeline: Pipeline, clock: Clock) -> Surroundings:
    """Look at the archive, the lookups and the table wherever they lie, and ask Kafka for the topics."""
    found = _found(pipeline, lambda _: True)
    found.missing += _tried("table", lambda: _look_at_table(pipeline))
    if pipeline.config.streaming is not None:
        found.missing += _tried("streaming.source", lambda: _ask_for_topics(pipeline, clock))
    return found


def _found(pipeline: Pipeline, wanted: Callable[[LookupSettings | SourceSettings], bool]) -> Surroundings:
    found = Surroundings()
    batch = pipeline.config.batch
    if batch is not None and wanted(batch.source):
        source = batch.source
        found.missing += _tried("batch.source", lambda: found.notes.extend(_read_footers(pipeline, source)))
    for name, bound in pipeline.lookups.items():
        if wanted(bound.config):
            found.missing += _tried(f"lookups.{name}", lambda bound=bound: _check_lookup(bound, found))  # type: ignore[misc]
    keys = pipeline.config.serving.api_keys_file if pipeline.config.serving is not None else None
    if keys is not None:
        found.missing += _tried("serving.api_keys_file", lambda: read_keys(Path(keys)))
    return found


def _tried(place: str, look: Callable[[], object]) -> list[Missing]:
    try:
        look()
    except (TriviumError, OSError) as error:
        return [Missing(place, str(error))]
    return []


def _check_lookup(bound: BoundLookup, found: Surroundings) -> None:
    if note := check_lookup(bound, SystemClock()):
        found.notes.append(f"lookups.{bound.name}: {note}")


def _read_footers(pipeline: Pipeline, source: SourceSettings) -> Sequence[str]:
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    plan = open_source(source, declarations, pipeline.config.type_column).plan()
    if not plan.days():
        raise SourceError(f"{place_of(source)}: expected rows, found files without any. Try: check the path")
    return plan.notes


def _look_at_table(pipeline: Pipeline) -> None:
    snapshot = Snapshot.find(pipeline.config.table.path)
    if conflicts := column_conflicts(pipeline, snapshot):
        where = f"the table {pipeline.config.table.path} cannot become what the pipeline writes"
        raise SchemaConflict(f"{where}: {'; '.join(conflicts)}. Try: give the column another name, or a new table path")


def _ask_for_topics(pipeline: Pipeline, clock: Clock) -> None:
    log = KafkaLog(pipeline.kafka_source(), pipeline.kafka_password(), clock)
    try:
        log.partitions()
    finally:
        log.close()
