"""Surroundings of a pipeline that a run would miss: its archive's folder, its lookups' files, its topics, its API keys.

A pipeline file can be right on a machine that has none of these, so what is missing is no problem of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.types as pt

from trivium.config.key_file import read_keys
from trivium.config.model.lookups import LOOKUP_KINDS
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
    """Things missing around a pipeline, those that were `found`, by place, with what, and notes on its archive."""

    missing: list[Missing] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def look_here(pipeline: Pipeline) -> Surroundings:
    """Look at the archive and the lookups that lie on this machine: their files and columns, no rows."""
    return _found(pipeline, lambda section: "://" not in place_of(section))


def look_everywhere(pipeline: Pipeline, clock: Clock) -> Surroundings:
    """Look at the archive, the lookups and the table wherever they lie, and ask Kafka for the topics."""
    found = _found(pipeline, lambda _: True)
    _try(found, "table", lambda: _look_at_table(pipeline))
    if pipeline.config.streaming is not None:
        _try(found, "streaming.source", lambda: _ask_for_topics(pipeline, clock))
    return found


def _found(pipeline: Pipeline, wanted: Callable[[LookupSettings | SourceSettings], bool]) -> Surroundings:
    found = Surroundings()
    batch = pipeline.config.batch
    if batch is not None and wanted(batch.source):
        source = batch.source
        _try(found, "batch.source", lambda: _read_footers(pipeline, source, found))
    for name, bound in pipeline.lookups.items():
        if wanted(bound.config):
            _try(found, f"lookups.{name}", lambda bound=bound: _check_lookup(bound))  # type: ignore[misc]
    keys = pipeline.config.serving.api_keys_file if pipeline.config.serving is not None else None
    if keys is not None:
        _try(found, "serving.api_keys_file", lambda: f"keys of {len(read_keys(Path(keys))):,} callers")
    return found


def _try(found: Surroundings, place: str, look: Callable[[], str]) -> None:
    try:
        found.found[place] = look()
    except (TriviumError, OSError) as error:
        found.missing.append(Missing(place, str(error)))


def _check_lookup(bound: BoundLookup) -> str:
    note, name = check_lookup(bound, SystemClock()), bound.config.type
    key = ", ".join(str(field.type) for field in bound.key_type) if pt.is_struct(bound.key_type) else bound.key_type
    if name not in LOOKUP_KINDS.built_in:
        return f"{name}, opened for keys of {key}"  # nothing of a plug-in says more before it is asked
    return f"{name}, keys of {key} fit" + (f", {note}" if note else "")


def _read_footers(pipeline: Pipeline, source: SourceSettings, found: Surroundings) -> str:
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    plan = open_source(source, declarations, pipeline.config.type_column).plan()
    if not plan.days():
        raise SourceError(f"{place_of(source)}: expected rows, found files without any. Try: check the path")
    found.notes.extend(plan.notes)
    files, rows = len(plan.files), sum(file.rows for file in plan.files)
    return f"{source.type}, {files:,} file{'' if files == 1 else 's'}, {rows:,} rows"


def _look_at_table(pipeline: Pipeline) -> str:
    snapshot = Snapshot.find(pipeline.config.table.path)
    if conflicts := column_conflicts(pipeline, snapshot):
        where = f"the table {pipeline.config.table.path} cannot become what the pipeline writes"
        raise SchemaConflict(f"{where}: {'; '.join(conflicts)}. Try: give the column another name, or a new table path")
    return "not there yet; the first run makes it" if snapshot is None else f"delta, version {snapshot.version:,}"


def _ask_for_topics(pipeline: Pipeline, clock: Clock) -> str:
    log = KafkaLog(pipeline.kafka_source(), pipeline.kafka_password(), clock)
    try:
        partitions = len(log.partitions())
    finally:
        log.close()
    return f"kafka, {partitions:,} partition{'' if partitions == 1 else 's'}"
