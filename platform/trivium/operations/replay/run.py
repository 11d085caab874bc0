"""A replay: parked letters of a stream taken through today's executor, their rows committed to the table.

1. Open both tables, take the replay's generation in both, make up for the end of a replay that was killed.
2. Take letters through the worker, in this process, until there are enough for a commit.
3. Publish which letters those are; commit their rows in the entry that says that these letters are done; then remove
   the letters, and add those of inputs that were rejected again. See `delivery.dead_letters.replayed`.
4. Again from 2, until none is left of those that were there at the start. The type is not parked any more.

A replay runs beside a stream of the same pipeline, started or not. Killed anywhere, the next one goes on: what is done
is done once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa

from trivium.config.pipeline import Pipeline
from trivium.connectors import open_lookup
from trivium.core.clock import Clock
from trivium.delivery.commit.generation import take_generation
from trivium.delivery.commit.parked_types import forget_parked
from trivium.delivery.commit.positions import RUNTIME as STREAMING
from trivium.delivery.commit.replay import ReplayCommit, commit_replay
from trivium.delivery.dead_letters.replayed import RUNTIME, Replayed, number_of, places_of, settle
from trivium.delivery.dead_letters.schema import dead_letter_table, reject_files
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.event_files import EventFiles
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.plans import keep_plan
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import checkpoint_if_due, events_table, open_table, written_columns
from trivium.engine.blocking import BlockingWorker
from trivium.engine.breaker import BreakerState, judged_inputs, summarise
from trivium.engine.outcomes import Counts, Outcomes, merge_counts, total_of
from trivium.operations.replay.letters import LetterBatch, LetterFilter, letter_batches
from trivium.runtimes.dead_letter_rows import dead_letter_rows

_ROUND_LETTERS: Final = 100_000
_ROUND_BYTES: Final = 256 << 20
_ROUND_DAYS: Final = 64
_ROUNDS: Final = 1 << 20
"""Rounds of one generation; numbers of replays grow from one generation to the next."""


@dataclass
class ReplayReport:
    """The balance of what a replay processed, and the version of its last commit, None: there was nothing to do."""

    event_type: str
    table: str
    counts: Counts = field(default_factory=Counts)
    version: int | None = None
    commits: int = 0


def replay_parked(
    pipeline: Pipeline, event_type: str, clock: Clock, round_letters: int = _ROUND_LETTERS
) -> ReplayReport:
    """Process the parked letters of an event type that are there now, at most `round_letters` a commit.

    Raises:
        SystemicRejects: the executor rejects most of them still; what the breaker looked at stays parked.
        Fenced: a newer replay took over.
        TriviumError: the message says why and what to do; what was committed stays.
    """
    return _Replay(pipeline.of_types([event_type]), event_type, clock).run(round_letters)


class _Replay:
    """One run of the command."""

    def __init__(self, pipeline: Pipeline, event_type: str, clock: Clock) -> None:
        config = pipeline.config
        self._clock, self._event_type = clock, event_type
        self._uri, self._letters_uri = config.table.path, config.dead_letters.path
        table = open_table(
            events_table(self._uri, pipeline.name, pipeline.table_columns, config.table.partition_by), clock
        )
        open_table(dead_letter_table(self._letters_uri, pipeline.name))
        self._pipeline = pipeline.writing(written_columns(table, pipeline.table_columns))
        self._generation = take_generation(self._uri, self._letters_uri, pipeline.name, RUNTIME, clock)
        settle(self._letters_uri, self._uri, clock)
        lookups = {name: open_lookup(bound, clock) for name, bound in pipeline.lookups.items()}
        self._worker = BlockingWorker(self._pipeline.worker_spec, lookups, clock)
        self._breaker = BreakerState(config.breaker)
        self._report = ReplayReport(event_type, self._uri)
        self._after = 0

    def run(self, round_letters: int) -> ReplayReport:
        keep_plan(self._uri, self._pipeline.plan)
        letters, table = Snapshot.latest(self._letters_uri), Snapshot.latest(self._uri)
        self._after = number_of(table)
        waiting = letter_batches(letters, table, LetterFilter(self._event_type))
        while (done := self._round(waiting, round_letters)) is not None:
            self._report.counts.add(done)
        forget_parked(self._uri, STREAMING, self._event_type)
        for uri in (self._uri, self._letters_uri):
            checkpoint_if_due(uri)
        return self._report

    def _round(self, waiting: Iterator[LetterBatch], most: int) -> Counts | None:
        """Process and commit letters; returns their balance, None: there were none."""
        number = self._generation * _ROUNDS + self._report.commits
        written = _Round(self._pipeline, number, self._clock)
        try:
            for part in waiting:
                outcomes = self._worker.run(part.batch)
                self._breaker.observe(judged_inputs(outcomes.counts()), summarise(outcomes, part.batch))
                written.take(part, outcomes)
                if written.letters >= most or written.nbytes >= _ROUND_BYTES or len(written.days) >= _ROUND_DAYS:
                    break
            if not written.letters:
                return None
            files, replayed = written.close(number)
        except BaseException:
            written.abandon()
            raise
        self._commit(files, replayed, written.counts)
        return total_of(written.counts)

    def _commit(self, files: tuple[DataFile, ...], replayed: Replayed, counts: dict[str, Counts]) -> None:
        pipeline = self._pipeline
        proposal = ReplayCommit(
            pipeline=pipeline.name,
            generation=self._generation,
            after=self._after,
            replayed=replayed,
            files=files,
            balance=counts,
            logic=pipeline.plan.logic_short,
            plan=pipeline.plan.plan_short,
            columns=table_schema(pipeline.table_columns),
        )
        self._report.version = commit_replay(self._uri, proposal, self._clock).version
        self._after = replayed.number
        self._report.commits += 1
        settle(self._letters_uri, self._uri, self._clock)


class _Round:
    """The files of one commit: rows as a stream's, and the letters of what is rejected again."""

    def __init__(self, pipeline: Pipeline, number: int, clock: Clock) -> None:
        config, name = pipeline.config, f"replay-{number}"
        self._pipeline, self._clock = pipeline, clock
        rows = PartitionedFiles(
            Storage(config.table.path),
            table_schema(pipeline.table_columns),
            config.table.partition_by,
            name,
            {"_runtime": STREAMING},
        )
        self._rows = EventFiles(rows)
        self._rejects = reject_files(Storage(config.dead_letters.path), name, STREAMING)
        self._places: dict[str, list[int]] = {}
        self.counts: dict[str, Counts] = {}
        self.days: set[object] = set()
        self.letters = self.nbytes = 0

    def take(self, part: LetterBatch, outcomes: Outcomes) -> None:
        """Write what became of a batch of letters."""
        read_at_us = part.read_at_us
        for emitted in outcomes.emitted.values():
            places = replace(emitted.places, ingested_at_us=read_at_us[emitted.parents])
            self._rows.add([replace(emitted, places=places)])
            self.days |= emitted.days()
        if outcomes.rejects:
            rows = dead_letter_rows(outcomes.rejects, part.batch, None, self._pipeline, self._clock)
            at = read_at_us[[reject.index for reject in outcomes.rejects]]
            moments = pa.array(at).cast(rows.schema.field("rejected_at").type)
            self._rejects.write(rows.set_column(rows.column_names.index("rejected_at"), "rejected_at", moments))
        for source, positions in places_of(part.rows).items():
            self._places.setdefault(source, []).extend(positions)
        self.counts = merge_counts([self.counts, outcomes.counts()])
        self.letters += part.rows.num_rows
        self.nbytes += part.rows.nbytes

    def close(self, number: int) -> tuple[tuple[DataFile, ...], Replayed]:
        """Make the files durable; returns those of rows, and what the letters' table is to become."""
        files = tuple(self._rows.close())
        generation = str(number // _ROUNDS)
        letters = tuple(file.with_partition("generation", generation) for file in self._rejects.close())
        return files, Replayed(number, self._places, letters)

    def abandon(self) -> None:
        """Remove the files."""
        self._rows.abandon()
        self._rejects.abandon()
