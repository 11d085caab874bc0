"""Runs units of work: read, worker, files. The part of a batch run that happens on a worker; it knows no Ray."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from trivium.config.pipeline import Pipeline
from trivium.config.rebuild import rebuild
from trivium.connectors import open_lookup, open_source, place_of, snapshot_of
from trivium.connectors.archive.reader import SourceReader
from trivium.connectors.archive.slices import Slice
from trivium.connectors.archive.units import Unit
from trivium.contract.lookup import Lookup
from trivium.core.clock import Clock, SystemClock
from trivium.core.errors import RunError
from trivium.core.fault_points import reach
from trivium.delivery.commit.batch import RUNTIME
from trivium.delivery.coverage.scope import Scope
from trivium.delivery.dead_letters.batch import ROW_SCHEMA, reject_files
from trivium.delivery.delta.snapshot import ActiveFile
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.event_files import EventFiles
from trivium.delivery.files.event_types import type_in, types_in
from trivium.delivery.files.lineage import EVENT_TYPE, table_schema
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.files.rewrite import DEAD_LETTERS, rows_of_file
from trivium.delivery.files.unit_markers import RunStore, UnitMarker
from trivium.delivery.storage.storage import Storage
from trivium.delivery.storage.token import prove_shared
from trivium.engine.breaker import summarise
from trivium.engine.lookups.client import LookupClient
from trivium.engine.lookups.clients import clients_of, taken_use
from trivium.engine.lookups.usage import merged_use
from trivium.engine.outcomes import Outcomes, Reject
from trivium.engine.worker import Worker
from trivium.runtimes.batch.job import Job, UnitResult
from trivium.runtimes.batch.resumption import resumable
from trivium.runtimes.batch.window import InWindow, restrict
from trivium.runtimes.dead_letter_rows import dead_letter_rows
from trivium.runtimes.in_flight import InFlight
from trivium.runtimes.logs import bind
from trivium.runtimes.project_files import project_here

_APART: Final = (EVENT_TYPE,)
"""A file holds one event type, so that a run of some types replaces whole files."""


@dataclass(frozen=True)
class _Host:
    """A worker of some event types, a reader of their events, and what of the outcomes is the run's."""

    reader: SourceReader
    clients: Mapping[str, LookupClient]
    in_flight: InFlight[Slice]
    scope: Scope

    def outcomes(self, unit: Unit) -> Iterator[tuple[Slice, Outcomes]]:
        """Return the slices of a unit with what became of them; the next ones are read while facts are waited for."""
        return self.in_flight.run((part, part.batch, part.nbytes) for part in self.reader.batches(unit))


class UnitRunner:
    """One pipeline, ready to run units. Building it proves that this process runs what the driver planned.

    `waiting` is held around every wait for facts.

    Raises:
        RunError: other code, other versions or other lookups here than on the driver.
        StorageNotShared: this node does not see the driver's storage.
    """

    def __init__(
        self,
        job: Job,
        clock: Clock | None = None,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._job, self._clock, self._waiting = job, clock or SystemClock(), waiting
        compiled = rebuild(job.plan, job.secrets, project_here(job.root))
        self._pipeline = compiled if job.scope.untyped else compiled.of_types({*job.scope.types, *job.parked})
        bind(pipeline=self._pipeline.name, plan=self._pipeline.plan.plan_short, generation=job.generation)
        prove_shared(job.token, socket.gethostname())
        config = self._pipeline.config
        self._table, self._dead_letters = Storage(config.table.path), Storage(config.dead_letters.path)
        self._schema = table_schema(job.columns or self._pipeline.table_columns)
        self._partition_by = config.table.partition_by
        self._markers = RunStore(self._table, self._dead_letters, job.name)
        self._all = self._host(self._pipeline, job.scope)
        self._some: dict[frozenset[str], _Host] = {}

    def run(self, unit: Unit) -> UnitResult:
        """Read the unit, take its events through the worker, write its files; nothing is visible to readers yet.

        Of a unit of which an earlier run made some event types only the others run.
        """
        marker, rest = self._made_before(unit)
        with self._files(unit) as (files, rejects):
            parts = [] if marker is None else [self._kept(marker, rest, rejects)]
            host = self._all if marker is None else self._host_of(rest)
            for part, outcomes in host.outcomes(unit):
                written = restrict(outcomes, part, host.scope)
                files.add(written.emitted.values())
                parts.append(self._rejected(rejects, written, part))
            reach("unit.before_files")
            result = _with_files(UnitResult.joined(parts), files, rejects)
        reach("unit.after_files")
        return msgspec.structs.replace(result, lookups=merged_use([result.lookups, taken_use(host.clients)]))

    def reject(self, unit: Unit, reason: str, error: str) -> UnitResult:
        """Write a unit of one record that no process survives as a dead letter, without showing it to its executor.

        As every reject it belongs to the run whose window holds its source day.
        """
        with self._files(unit) as (files, rejects):
            parts: list[UnitResult] = []
            for part in self._all.reader.batches(unit):
                outcomes = Outcomes(1, rejects=[Reject(0, "process", reason, error, attempts=2)])
                parts.append(self._rejected(rejects, restrict(outcomes, part, self._job.scope), part))
            return _with_files(UnitResult.joined(parts), files, rejects)

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that runs here."""
        return self._pipeline

    def clients(self) -> list[Mapping[str, LookupClient]]:
        """Return the clients of the lookups, a set for each choice of event types that ran."""
        return [host.clients for host in (self._all, *list(self._some.values()))]

    def publish(self, unit: Unit, result: UnitResult) -> None:
        """Keep a finished unit, so that a restarted run need not run it again."""
        self._markers.publish(result.marker(unit.key(self._job.context), self._job.generation, self._job.made))

    def _made_before(self, unit: Unit) -> tuple[UnitMarker | None, frozenset[str]]:
        """Return the marker of which types can be used, and those that cannot; it may have changed since the start."""
        key = unit.key(self._job.context)
        marker = self._markers.find(key) if key in self._job.rests else None
        rests = resumable({key: marker}, {key}, self._job.made).rests if marker is not None else {}
        return (marker, rests[key]) if key in rests else (None, frozenset())

    def _host(self, pipeline: Pipeline, scope: Scope) -> _Host:
        config = pipeline.config
        assert config.batch is not None
        declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
        reader = open_source(config.batch.source, declarations, config.type_column)
        spec = pipeline.worker_spec
        clients = clients_of(spec.lookups, open_lookups(pipeline, self._job, self._clock), self._clock)
        worker = Worker(spec, self._clock, self._job.parked)
        return _Host(reader, clients, InFlight(worker, clients, self._clock, waiting=self._waiting), scope)

    def _host_of(self, types: frozenset[str]) -> _Host:
        if types not in self._some:
            scope = replace(self._job.scope, types=types, untyped=False)
            self._some[types] = self._host(self._pipeline.of_types(types), scope)
        return self._some[types]

    def _kept(self, marker: UnitMarker, rest: frozenset[str], rejects: PartitionedFiles) -> UnitResult:
        """Return what an earlier run made of the types that are not in `rest`; their rejects are written once more."""
        for file in marker.rejects:
            found = ActiveFile(file.path, file.size, file.partition_values)
            for rows in rows_of_file(self._dead_letters, found, ROW_SCHEMA, DEAD_LETTERS.runtime):
                again = pc.is_in(rows["event_type"], pa.array(sorted(rest), pa.string()))
                rejects.write(rows.filter(pc.invert(again)))
        files = tuple(file for file in marker.files if self._types_of(file).isdisjoint(rest))
        return msgspec.structs.replace(UnitResult.of_marker(marker).without(rest), files=files)

    def _types_of(self, file: DataFile) -> frozenset[str]:
        held = type_in(file.statistics)
        return types_in(self._table, file.path) if held is None else frozenset({held})

    @contextmanager
    def _files(self, unit: Unit) -> Iterator[tuple[EventFiles, PartitionedFiles]]:
        name = f"{self._job.generation}-{unit.key(self._job.context)[:12]}"
        files = PartitionedFiles(self._table, self._schema, self._partition_by, name, {"_runtime": RUNTIME}, _APART)
        rejects = reject_files(self._dead_letters, name)
        try:
            yield EventFiles(files), rejects
        except BaseException:
            files.abandon()
            rejects.abandon()
            raise

    def _rejected(self, files: PartitionedFiles, written: InWindow, part: Slice) -> UnitResult:
        """Write the rejects of a slice; return its balance and their signatures."""
        rejects = list(written.rejects)
        if rejects:
            files.write(dead_letter_rows(rejects, part.batch, part.days.tolist(), self._pipeline, self._clock))
        signatures = summarise(Outcomes(0, rejects=rejects), part.batch)
        return UnitResult(counts=written.counts, signatures=signatures, held=written.held)


def _with_files(result: UnitResult, files: EventFiles, rejects: PartitionedFiles) -> UnitResult:
    return msgspec.structs.replace(result, files=(*result.files, *files.close()), rejects=tuple(rejects.close()))


def open_lookups(pipeline: Pipeline, job: Job, clock: Clock) -> dict[str, Lookup]:
    """Open the pipeline's lookups, pinned to the snapshot the driver saw.

    Raises:
        RunError: a lookup's files have changed since the run was planned.
    """
    opened = {}
    for name, bound in pipeline.lookups.items():
        opened[name] = open_lookup(bound, clock, pinned=True, snapshot=job.lookups[name])
        if snapshot_of(opened[name]) != job.lookups[name]:
            raise RunError(
                f"lookup {name} ({place_of(bound.config)}) changed after the run was planned. Try: run again; units "
                "finished with the old lookup are not reused"
            )
    return opened
