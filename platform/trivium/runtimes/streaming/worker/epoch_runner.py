"""Runs epochs: poll, worker, files. The part of a stream that happens on a worker; it knows no Ray."""

from __future__ import annotations

import faulthandler
import gc
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec

from trivium.config.pipeline import Pipeline
from trivium.config.rebuild import rebuild
from trivium.connectors import open_lookup
from trivium.connectors.kafka.fetched import Fetched
from trivium.connectors.kafka.reader import KafkaReader
from trivium.core.clock import Clock, SystemClock
from trivium.core.fault_points import reach
from trivium.delivery.storage.token import prove_shared
from trivium.engine.lookups.client import LookupClient
from trivium.engine.lookups.clients import clients_of, taken_use
from trivium.engine.outcomes import Outcomes, Reject
from trivium.engine.worker import Worker
from trivium.runtimes.in_flight import InFlight, WaitOver, Waits
from trivium.runtimes.logs import bind
from trivium.runtimes.project_files import project_here
from trivium.runtimes.streaming.job import EpochRequest, EpochResult, StreamJob
from trivium.runtimes.streaming.worker.epoch import Epoch, event_days
from trivium.runtimes.streaming.worker.merge_chunks import Gathered, gather

_POLL_SECONDS: Final = 0.25
_GLANCE_SECONDS: Final = 0.005
_QUIET_SECONDS: Final = 1.0
_BATCH_BYTES: Final = 4 << 20
_PARTING_SECONDS: Final = 2.0
"""The longest wait for facts once the epoch was cut."""
_DAYS: Final = 64
"""Most event days, so most new partitions of the table, that one epoch opens."""


class EpochRunner:
    """One pipeline, ready to run epochs. Building it proves that this process runs what the driver planned.

    Raises:
        RunError: other code or other versions here than on the driver.
        StorageNotShared: this node does not see the driver's storage.
    """

    def __init__(self, job: StreamJob, clock: Clock | None = None) -> None:
        self._job, self._clock = job, clock or SystemClock()
        compiled = rebuild(job.plan, job.secrets, project_here(job.root))
        self._pipeline = compiled.writing(job.columns or compiled.table_columns)
        bind(pipeline=self._pipeline.name, plan=self._pipeline.plan.plan_short, generation=job.generation)
        prove_shared(job.token, socket.gethostname())
        assert self._pipeline.config.streaming is not None
        self._config = self._pipeline.config.streaming
        self._routing = self._pipeline.config.routing
        lookups = {name: open_lookup(bound, self._clock) for name, bound in self._pipeline.lookups.items()}
        spec = self._pipeline.worker_spec
        self._clients = clients_of(spec.lookups, lookups, self._clock)
        self._waits = Waits()
        self._in_flight: InFlight[Gathered] = InFlight(
            Worker(spec, self._clock, job.parked),
            self._clients,
            self._clock,
            self._watched,
            self._waits.held,
            self._parted,
        )
        self._reader = KafkaReader(
            self._pipeline.kafka_source(), self._pipeline.kafka_password(), self._clock, self._routing.header
        )
        self._positions: dict[str, int] = {}
        self._cut, self._cut_at = threading.Event(), 0.0
        gc.collect()
        gc.freeze()  # what is loaded by now stays; the collector need not walk through it again and again

    def cut(self) -> None:
        """End the running epoch, and every later one, as soon as its batch is done. May be called from any thread."""
        self._cut_at = self._clock.monotonic()
        self._cut.set()

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that runs here."""
        return self._pipeline

    def clients(self) -> list[Mapping[str, LookupClient]]:
        """Return the clients of the lookups."""
        return [self._clients]

    def waits_for(self) -> str | None:
        """Return what the running epoch waits for, None: it does not wait for facts. May be called from any thread."""
        if not self._waits.now:
            return None
        return "; ".join(client.away for client in self._clients.values() if client.away)

    def run(self, request: EpochRequest) -> EpochResult:
        """Read until the epoch is full, its time is over or `cut` is called; write its files."""
        if request.positions is not None:
            self._assign(request.positions)
        with self._epoch() as epoch:
            try:
                if request.alone is None:
                    self._fill(epoch)
                else:
                    self._fill_alone(epoch, request.alone)
            except WaitOver:
                self._assign(self._positions)  # what waits for facts is read again by the next run
            return self._closed(epoch)

    def reject(self, partition: str, position: int, reason: str, error: str) -> EpochResult:
        """Make the record at a position a dead letter without showing it to its executor."""
        self._assign({partition: position})
        with self._epoch() as epoch:
            gathered = self._gathered(self._first(1))
            outcomes = Outcomes(1, rejects=[Reject(0, "process", reason, error, attempts=2)])
            epoch.take(gathered, outcomes, set())
            return self._closed(epoch)

    def close(self) -> None:
        """Close the consumer and the lookups' clients."""
        self._reader.close()
        for client in self._clients.values():
            client.close()

    def _fill(self, epoch: Epoch) -> None:
        ends = self._clock.monotonic() + self._until_cut()
        while not self._cut.is_set() and epoch.nbytes + self._in_flight.nbytes < self._config.epoch_bytes:
            remaining = ends - self._clock.monotonic()
            if remaining <= 0:
                break
            patience = _GLANCE_SECONDS if self._in_flight else _POLL_SECONDS
            fetched = self._reader.poll(min(remaining, patience), _BATCH_BYTES)
            if fetched:
                self._begin(self._gathered(fetched))
            if not self._settle(epoch):
                return
            while self._in_flight.full:
                self._in_flight.wait()
                if not self._settle(epoch):
                    return
        while self._in_flight and self._settle(epoch):
            if self._in_flight:
                self._in_flight.wait()

    def _settle(self, epoch: Epoch) -> bool:
        """Take the batches that are done into the epoch, in order; False: it is full, and the others were dropped."""
        while finished := self._in_flight.finished():
            reach("epoch.after_batch")
            if not self._take(epoch, *finished):
                self._assign(self._positions)  # what was read beyond is read again
                return False
        return True

    def _until_cut(self) -> float:
        """Return the seconds to the next multiple of the interval: workers end epochs together, for one commit."""
        interval = self._config.commit_interval_seconds
        remaining = interval - (self._clock.now_us() / 1e6) % interval
        return remaining if remaining > interval / 4 else remaining + interval

    def _fill_alone(self, epoch: Epoch, records: int) -> None:
        fetched = self._first(records)
        if fetched:
            gathered, outcomes = self._processed(self._gathered(fetched))
            epoch.take(gathered, outcomes, event_days(outcomes))
            self._assign(self._positions)  # forgets what was fetched beyond

    def _first(self, records: int) -> list[Fetched]:
        """Return the first stretch with records of the one partition assigned, cut down; none if all is quiet."""
        found: list[Fetched] = []
        ends = self._clock.monotonic() + _QUIET_SECONDS
        while not self._cut.is_set() and self._clock.monotonic() < ends:
            for part in self._reader.poll(_POLL_SECONDS, _BATCH_BYTES):
                found.append(part.head(records))
                if part.values:
                    return found
        return found

    def _take(self, epoch: Epoch, gathered: Gathered, outcomes: Outcomes) -> bool:
        """Take a batch into the epoch, or as much of it as opens few enough partitions; False: the epoch is full."""
        days = event_days(outcomes)
        if len(epoch.days | days) <= _DAYS or (not epoch.ranges and len(gathered.batch) == 1):
            epoch.take(gathered, outcomes, days)
            self._move(gathered)
            return True
        if not epoch.ranges:
            first = gathered.parts[0]
            self._take(epoch, *self._processed(self._gathered([first.head(max(1, len(first.values) // 2))])))
        return False

    def _processed(self, gathered: Gathered) -> tuple[Gathered, Outcomes]:
        """Take one batch through the worker, with no other on its way."""
        self._in_flight.drop()
        self._begin(gathered)
        while (finished := self._in_flight.finished()) is None:
            self._in_flight.wait()
        reach("epoch.after_batch")
        return finished

    def _begin(self, gathered: Gathered) -> None:
        self._in_flight.begin(gathered, gathered.batch, gathered.nbytes)

    def _gathered(self, fetched: list[Fetched]) -> Gathered:
        return gather(fetched, self._routing, self._job.epochs)

    def _assign(self, positions: Mapping[str, int]) -> None:
        self._positions = dict(positions)
        self._in_flight.drop()
        self._reader.assign(self._positions)

    def _move(self, gathered: Gathered) -> None:
        self._positions.update((part.partition, part.next) for part in gathered.parts)

    def _closed(self, epoch: Epoch) -> EpochResult:
        result = epoch.close()
        self._positions.update((name, each.next) for name, each in result.ranges.items())
        result = msgspec.structs.replace(result, lookups=taken_use(self._clients))
        return result.with_source(self._reader.buffered_bytes(), self._reader.reconnects)

    @contextmanager
    def _epoch(self) -> Iterator[Epoch]:
        epoch = Epoch(self._pipeline, f"{self._job.generation}", self._clock, self._job.parked)
        try:
            yield epoch
        except BaseException:
            epoch.abandon()
            raise

    def _parted(self) -> bool:
        """Return whether an epoch that was cut has waited long enough for facts."""
        return self._cut.is_set() and self._clock.monotonic() - self._cut_at > _PARTING_SECONDS

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End this process if a batch hangs: outside Python's interpreter lock, so native code is no way around it."""
        faulthandler.dump_traceback_later(self._config.batch_deadline_seconds, exit=True, file=sys.stderr.fileno())
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
