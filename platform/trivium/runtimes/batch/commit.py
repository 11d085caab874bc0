"""The end of a batch run: what its units gave, committed to the dead letters and then to the table."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from trivium.core.clock import Clock
from trivium.core.errors import RunError
from trivium.delivery.commit.batch import BatchCommit, commit_batch
from trivium.delivery.commit.committer import Landed
from trivium.delivery.coverage import documents as coverage
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.dead_letters.carry import carried_letters
from trivium.delivery.delta.transactions import ALL_DAYS
from trivium.delivery.errors import Overtaken
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.lineage import table_schema
from trivium.engine.lookups.usage import merged_use
from trivium.engine.outcomes import Counts, merge_counts
from trivium.runtimes.batch.job import UnitResult, joined_days
from trivium.runtimes.batch.parked import note_left_out, note_made
from trivium.runtimes.batch.prepare import Prepared, claim_number
from trivium.runtimes.batch.report import BatchReport
from trivium.runtimes.batch.source import batch_section

_log = logging.getLogger(__name__)


def commit_results(prepared: Prepared, results: Sequence[UnitResult], clock: Clock, seconds: float) -> BatchReport:
    """Commit what the units of a run gave; `seconds` is what they took.

    If a run of other days or types commits first, it is done again on top of that, under another generation.

    Raises:
        DeliveryError: see `commit_batch`; readers see the table as it was.
    """
    counts, generation = _balance(results), prepared.job.generation
    uri = prepared.pipeline.config.table.path
    note_left_out(uri, prepared.job.scope, prepared.parked, counts)
    while True:
        try:
            landed = _commit(prepared, results, generation, clock)
        except Overtaken as error:
            _log.info("%s", error)
            generation = claim_number(prepared.pipeline, prepared.job.scope, clock, prepared.job.generation)
        else:
            break
    note_made(uri, prepared.job.scope)
    return BatchReport(
        pipeline=prepared.pipeline.name,
        table=uri,
        version=landed.version,
        generation=generation,
        counts=counts,
        dead_letters=sum(file.rows for result in results for file in result.rejects),
        units=len(prepared.source.units),
        units_reused=len(prepared.done),
        seconds=seconds,
        left_out=tuple(sorted(prepared.job.scope.left_out)),
        units_reused_in_part=len(prepared.job.rests),
    )


def _commit(prepared: Prepared, results: Sequence[UnitResult], generation: int, clock: Clock) -> Landed:
    """Commit under a generation.

    Raises:
        Overtaken: another run committed since this one took the generation, or meanwhile.
    """
    pipeline, job = prepared.pipeline, prepared.job
    uri = pipeline.config.table.path
    covered = coverage.covering(uri, generation, job.scope, _reading(prepared, results))
    if covered.after > generation:
        raise Overtaken(f"{pipeline.name}/batch: generation {covered.after} committed before {generation}")
    rejects = tuple(file for result in results for file in result.rejects)
    days = _append_letters(prepared, generation, rejects, clock)
    schema = table_schema(pipeline.table_columns)
    proposal = BatchCommit(
        pipeline=pipeline.name,
        generation=generation,
        scope=job.scope,
        files=tuple(file for result in results for file in result.files),
        source_days=days,
        covered=covered,
        balance=_balance(results),
        logic=pipeline.plan.logic_short,
        plan=pipeline.plan.plan_short,
        lookups=merged_use(result.lookups for result in results),
        source_version=prepared.source.plan.version,
        columns=schema,
    )
    return commit_batch(uri, proposal, schema, clock)


def _balance(results: Sequence[UnitResult]) -> dict[str, Counts]:
    counts = merge_counts(dict(result.counts) for result in results)
    unbalanced = [name for name, each in counts.items() if not each.balanced()]
    if unbalanced:
        raise RunError(f"the balance of {unbalanced} is off: {counts}; nothing was committed. This is a bug: report it")
    return counts


def _reading(prepared: Prepared, results: Sequence[UnitResult]) -> coverage.Reading:
    """Return the source days that were read, and those that count for each event type.

    A day counts for the types it held inputs of. A day that held nothing at all says so of every type the run read.
    """
    held = joined_days(result.held for result in results)
    empty = prepared.source.days.read.keys() - {day for days in held.values() for day in days}
    read = {name: held[name] | empty for name in prepared.job.scope.types if held.get(name)}
    types = {name: frozenset(day or ALL_DAYS for day in read.get(name, ())) for name in prepared.job.scope.types}
    return coverage.Reading(prepared.complete, types, batch_section(prepared.pipeline).late_days)


def _append_letters(
    prepared: Prepared, generation: int, rejects: tuple[DataFile, ...], clock: Clock
) -> tuple[str, ...]:
    """Append the run's dead letters and those that stay; return the source days whose letters the run replaces."""
    pipeline, job = prepared.pipeline, prepared.job
    uri, days = pipeline.config.dead_letters.path, _source_days(prepared)
    carried = carried_letters(uri, pipeline.config.table.path, job.scope, days, rejects)
    days |= {file.partition_values["source_day"] or ALL_DAYS for file in carried}
    replaced = tuple(sorted(days))
    files, table = (*rejects, *carried), pipeline.config.table.path
    letters = dead_letters.DeadLetterCommit(pipeline.name, generation, files, replaced, table)
    dead_letters.append(uri, letters, clock)
    return replaced


def _source_days(prepared: Prepared) -> set[str]:
    """Return the source days whose drops and rejects are this run's; those of missing days stay as they are."""
    window = prepared.job.scope.window
    read = {day or ALL_DAYS for day in prepared.source.days.read}
    return read | {ALL_DAYS} if window is None else {day for day in read if window.holds(day)}
