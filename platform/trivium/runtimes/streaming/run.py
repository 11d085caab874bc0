"""A streaming run: start (see `start`), the loop of workers and commits, and the drain.

The driver asks each worker for epochs, commits what they hand in once an interval, and replaces workers that die or
hang. It is the only committer. While a commit waits, workers finish at most the epochs that were requested, so
uncommitted work is bounded and the lag grows in Kafka.

A stop (SIGTERM, Ctrl-C, or having caught up) has the running epochs cut, commits them, and ends; killed instead, the
next start goes on at the table's positions.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import ray

from trivium.config.pipeline import Pipeline
from trivium.connectors.kafka.cluster import KafkaLog
from trivium.connectors.kafka.errors import KafkaPositionError
from trivium.core.clock import Clock, Deadline, SystemClock
from trivium.core.fault_points import reach
from trivium.delivery.commit.breaker_record import record_trip
from trivium.delivery.commit.generation import check_generation
from trivium.delivery.commit.parked_types import parked_by, record_parked
from trivium.delivery.commit.positions import RUNTIME, Positions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.storage.token import StorageToken, remove_token, write_token
from trivium.engine.breaker import SystemicRejects
from trivium.runtimes import steps
from trivium.runtimes.cluster import StoppedAtStart, connected
from trivium.runtimes.logs import bind
from trivium.runtimes.stopping import StopRequest, stop_on_signals
from trivium.runtimes.streaming.epochs import Committed, EpochCommitter
from trivium.runtimes.streaming.job import EpochResult, StreamJob
from trivium.runtimes.streaming.keeper import Keeper
from trivium.runtimes.streaming.metrics import Observer
from trivium.runtimes.streaming.monitor import LogMonitor
from trivium.runtimes.streaming.pool import Lane, make_lanes
from trivium.runtimes.streaming.progress import ProgressLine
from trivium.runtimes.streaming.report import StreamReport
from trivium.runtimes.streaming.start import (
    Beginning,
    Started,
    adopt_partitions,
    start_stream,
    streaming_section,
)
from trivium.runtimes.streaming.table_watch import TableWatch

_WAIT_SECONDS = 0.5
_TOGETHER = 0.1
_FENCE_SECONDS = 5.0
_CONFIRM_SECONDS = 5.0
_AHEAD = 3  # epochs a worker may be ahead of the commits

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamArguments:
    """Settings of one run beside the pipeline file."""

    until_caught_up: bool = False
    beginning: Beginning | None = None
    address: str | None = None


def run_streaming(
    pipeline: Pipeline, arguments: StreamArguments | None = None, clock: Clock | None = None
) -> StreamReport:
    """Run a pipeline as a stream until it is stopped, or has caught up with what was there at its start.

    Raises:
        TriviumError: the run stopped; the message says why and what to do. What was committed stays.
    """
    clock, arguments = clock or SystemClock(), arguments or StreamArguments()
    config = streaming_section(pipeline)
    bind(pipeline=pipeline.name, plan=pipeline.plan.plan_short)
    log = KafkaLog(pipeline.kafka_source(), pipeline.kafka_password(), clock)
    topics = ", ".join(config.source.topics)
    steps.begin(
        f"asking Kafka at {config.source.servers} for {topics}, and opening the table {pipeline.config.table.path}"
    )
    try:
        started = start_stream(pipeline, log, arguments.beginning, clock)
        goal = log.end(sorted(started.positions)) if arguments.until_caught_up else None
    except BaseException:
        log.close()
        raise
    bind(generation=started.generation)
    monitor = LogMonitor(log, config.group or pipeline.name, sorted(started.positions), started.identities)
    token = write_token(pipeline.config.table.path)
    watch = TableWatch(pipeline.config.table.path)
    monitor.start(clock)
    watch.start()
    try:
        with connected(arguments.address, config.workers), stop_on_signals() as stop:
            return _Stream(pipeline, started, monitor, token, clock).run(goal, stop)
    except StoppedAtStart as stopped:
        _log.warning("%s", stopped)
        return _empty_report(pipeline, started)
    finally:
        watch.stop()
        monitor.stop(2.0)
        remove_token(token)


def _empty_report(pipeline: Pipeline, started: Started) -> StreamReport:
    table, positions = pipeline.config.table.path, dict(started.positions)
    return StreamReport(pipeline.name, table, started.generation, started.adopted, positions)


class _Stream:
    """The loop of one run."""

    def __init__(
        self, pipeline: Pipeline, started: Started, monitor: LogMonitor, token: StorageToken, clock: Clock
    ) -> None:
        pipeline = pipeline.writing(started.columns)
        self._pipeline, self._started, self._monitor, self._clock = pipeline, started, monitor, clock
        self._config = streaming_section(pipeline)
        self._token, self._parked = token, dict(started.parked)
        self._report = _empty_report(pipeline, started)
        self._begin()
        self._observer = Observer(pipeline, self._report, monitor, clock)
        self._fence_due = clock.monotonic() + _FENCE_SECONDS
        every = self._config.maintain_seconds
        letters = pipeline.config.dead_letters.path
        self._keeper = None if every is None else Keeper(token, letters, every, clock)

    def _begin(self) -> None:
        """Make the lanes and the committer, at the positions that the table has; nothing is under way."""
        pipeline, started = self._pipeline, self._started
        plan, root, epochs = pipeline.plan.json, str(pipeline.root), dict(started.epochs)
        parked = {name: each.sentence for name, each in self._parked.items()}
        job = StreamJob(plan, pipeline.secrets, root, started.generation, epochs, self._token, started.columns, parked)
        self._lanes = make_lanes(job, self._config, self._clock, dict(self._report.positions))
        self._committer = EpochCommitter(pipeline, started.generation, self._clock)

    def run(self, goal: Mapping[str, int] | None, stop: StopRequest) -> StreamReport:
        """Run until `stop` is requested or every partition has reached its `goal`."""
        began = self._clock.monotonic()
        try:
            steps.begin(f"starting {steps.many(len(self._lanes), 'worker')}")
            with ProgressLine(self._clock) as progress:
                while not stop.requested and not self._reached(goal):
                    self._step(progress)
                self._drain(progress)
        finally:
            if self._keeper is not None:
                self._keeper.close()
            self._end()
            self._report.seconds = self._clock.monotonic() - began
        return self._report

    def _end(self) -> None:
        for lane in self._lanes:
            lane.close()
        self._report.workers_lost += sum(lane.losses for lane in self._lanes)
        self._lanes = []

    def _step(self, progress: ProgressLine) -> None:
        if self._committer.waiting <= _AHEAD * len(self._lanes):
            for lane in self._lanes:
                lane.go_on()
        self._collect()
        self._commit()
        self._check_fence()
        self._check_topics()
        self._take_in_partitions()
        if self._keeper is not None:
            self._keeper.step()
        progress.show(self._observer.progress(self._committer, self._lanes))

    def _drain(self, progress: ProgressLine) -> None:
        """Cut the running epochs, commit them; what is not there in time comes again with the next start."""
        patience = Deadline.after(self._clock, self._config.drain_seconds)
        for lane in self._lanes:
            lane.stop()
        while not all(lane.idle for lane in self._lanes) and not patience.passed():
            self._collect()
        self._commit()
        progress.show(self._observer.progress(self._committer, self._lanes))

    def _collect(self) -> None:
        """Take in the answers that are there, those of workers that end their epochs together in one go."""
        waiting = {lane.waiting_for: lane for lane in self._lanes if lane.waiting_for is not None}
        if not waiting:
            self._clock.sleep(_WAIT_SECONDS)
            return
        answers = list(waiting)
        ready, _ = ray.wait(answers, num_returns=1, timeout=_WAIT_SECONDS)
        if ready and len(answers) > 1:
            grace = _TOGETHER * min(1.0, self._config.commit_interval_seconds)
            ready, _ = ray.wait(answers, num_returns=len(answers), timeout=grace)
        for answer, lane in waiting.items():
            result = self._result(lane, answered=answer in ready)
            if result is not None:
                self._committer.add(result)

    def _result(self, lane: Lane, *, answered: bool) -> EpochResult | None:
        """Take a lane's next answer.

        Raises:
            TopicChanged: a position is outside of its log, because the topic was made anew.
        """
        try:
            return lane.collect(answered=answered)
        except KafkaPositionError:
            if self._monitor.confirm(_CONFIRM_SECONDS):
                self._check_topics()
            raise

    def _commit(self) -> None:
        """Commit what waits, once it is known that all of it was read of the topics the positions are of."""
        if not self._committer.waiting or not self._monitor.confirm(_CONFIRM_SECONDS):
            return
        self._check_topics()
        try:
            committed = self._committer.commit()
        except SystemicRejects as error:
            self._tripped(error)
            return
        self._account(committed)

    def _tripped(self, error: SystemicRejects) -> None:
        """Park the event type, where the breaker says so, and begin again at the table's positions.

        Nothing that was judged with the type unparked is committed: its files are left to maintenance.

        Raises:
            SystemicRejects: the run stops.
        """
        config, plan = self._pipeline.config, self._pipeline.plan
        bound = self._pipeline.executors.get(error.event_type or "")
        if config.breaker == "off" or config.breaker.then == "stop" or bound is None:
            record_trip(config.table.path, RUNTIME, config.breaker, plan.logic, error)
            raise error
        parked = parked_by(config.breaker, bound, self._clock.now_us(), error.message)
        record_parked(config.table.path, RUNTIME, parked)
        reach("park.recorded")
        _log.warning("%s: %s", config.table.path, parked.sentence)
        self._parked[bound.event_type] = parked
        self._end()
        self._begin()

    def _account(self, committed: Committed) -> None:
        self._report.add(committed)
        self._observer.committed(committed)
        self._fence_due = self._clock.monotonic() + _FENCE_SECONDS
        self._monitor.show(self._report.positions)

    def _check_fence(self) -> None:
        """Look from time to time whether a newer run took over: an idle one commits nothing."""
        if self._clock.monotonic() >= self._fence_due:
            self._fence_due = self._clock.monotonic() + _FENCE_SECONDS
            snapshot = Snapshot.latest(self._pipeline.config.table.path)
            check_generation(snapshot, self._pipeline.name, RUNTIME, self._started.generation)

    def _check_topics(self) -> None:
        """Stop when a topic was made anew."""
        Positions({}, dict(self._started.identities), {}).check_identities(self._monitor.identities)

    def _take_in_partitions(self) -> None:
        """Own partitions that were added since the start."""
        new = {name: at for name, at in self._monitor.found.items() if name not in self._report.positions}
        if not new:
            return
        adopted = adopt_partitions(self._pipeline, self._started.generation, new, self._started.identities, self._clock)
        self._report.positions |= adopted
        for name, at in adopted.items():
            min(self._lanes, key=lambda lane: len(lane.positions)).give({name: at})

    def _reached(self, goal: Mapping[str, int] | None) -> bool:
        return goal is not None and all(self._report.positions[name] >= end for name, end in goal.items())
