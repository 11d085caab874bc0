"""`trivium plan`: what a run would do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from trivium.cli.options import RunScope, checked, output_format, run_scope
from trivium.cli.terminal.tables import facts, show_table
from trivium.cli.terminal.text import one_line, plural, size, span

if TYPE_CHECKING:
    from trivium.config.pipeline import Pipeline
    from trivium.operations.plans.batch_plan import BatchPlan
    from trivium.operations.plans.parts import BreakerSummary, ExecutorSummary, StreamingSummary, TableSummary
    from trivium.operations.plans.stream_plan import StreamPlan


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@run_scope
@click.option("--show", metavar="HASH", help="Print a plan that rows of the table name, as JSON, instead.")
@click.option(
    "--diff",
    metavar="HASH",
    is_flag=False,
    flag_value="",
    help="Compare with an earlier plan instead; without HASH with that of the table's last commit.",
)
@output_format
@click.pass_context
def plan(
    ctx: click.Context, config: Path, scope: RunScope, show: str | None, diff: str | None, output_format: str
) -> None:
    """Show what a run would read, write and replace. Changes nothing.

    That is a batch run, beside what the streaming runtime would do; of a pipeline that only streams, a streaming run.
    Exit code 1: the run would refuse to start, for the conflicts shown, or --diff found what decides rows to differ;
    2: problems in the file.
    """
    from trivium.config.compile import compile_file
    from trivium.operations.plans.batch_plan import plan_batch
    from trivium.operations.plans.diff import kept_plan
    from trivium.operations.plans.stream_plan import plan_stream
    from trivium.runtimes.batch.prepare import BatchArguments

    pipeline = compile_file(config, runtime=None)
    if show is not None:
        click.echo(kept_plan(pipeline.config.table.path, show).json.decode())
        return
    if diff is not None:
        ctx.exit(_show_diff(pipeline, diff, output_format))
    arguments = checked(BatchArguments(scope.start, scope.end, missing_days=scope.missing_days, types=scope.types))
    found = plan_stream(pipeline) if pipeline.config.batch is None else plan_batch(pipeline, arguments)
    if output_format == "json":
        click.echo(json.dumps(found, default=msgspec.to_builtins, ensure_ascii=False, indent=2))
    else:
        facts(_lines(found, pipeline.config_file))
    ctx.exit(1 if found.table.conflicts else 0)


def _show_diff(pipeline: Pipeline, digest: str, output_format: str) -> int:
    from trivium.operations.plans.diff import compare

    found = compare(pipeline, digest or None)
    if output_format == "json":
        click.echo(json.dumps(msgspec.to_builtins(found), ensure_ascii=False, indent=2))
        return 0 if found.same else 1
    rows = [
        (each.event_type, each.kind, ", ".join(each.parts), f"{each.days:,}", f"{each.rows:,}") for each in found.types
    ]
    if rows:
        show_table(("event type", "", "what", "days", "rows"), rows, figures=[3, 4])
    facts(
        [
            ("plans", f"{found.before} before, {found.after} now"),
            *([("new columns", ", ".join(found.new_columns))] if found.new_columns else []),
            *([("not written", ", ".join(found.unwritten_columns))] if found.unwritten_columns else []),
            *([("also", ", ".join(found.other))] if found.other else []),
            *([("same", "nothing that decides rows differs")] if found.same else []),
        ]
    )
    return 0 if found.same else 1


def _lines(found: BatchPlan | StreamPlan, config_file: str) -> Iterator[tuple[str, str]]:
    from trivium.operations.plans.batch_plan import BatchPlan

    yield "pipeline", f"{found.pipeline}  (logic {found.logic}, plan {found.plan})"
    if isinstance(found, BatchPlan):
        yield from _batch(found)
    if found.streaming:
        yield "streaming", _streaming(found.streaming)
    for number, each in enumerate(found.executors):
        yield "" if number else "executors", _executor(each, config_file)
    for number, lookup in enumerate(found.lookups):
        yield "" if number else "lookups", _lookup(lookup)
    yield "table", _table(found.table)
    if isinstance(found, BatchPlan):
        yield "replaced", _replaced(found.table)
        if found.parked:
            yield "left as it is", f"event types {', '.join(found.parked)}: parked, see trivium status"
        if found.left_out:
            yield "left as it is", f"event days {span(found.left_out)}: source days are missing"
        for number, (name, days) in enumerate(found.stale.items()):
            yield "" if number else "stale", f"{name}: {span(tuple(days))}, of another executor version"
    yield "dead letters", found.dead_letters
    yield "breaker", _breaker(found.breaker)
    if isinstance(found, BatchPlan):
        yield "units", f"{found.units}, of which {found.units_finished} finished already"
    yield "guarantees", "\n".join(found.guarantees)


def _batch(found: BatchPlan) -> Iterator[tuple[str, str]]:
    source = found.source
    yield "event days", f"{found.window[0]} to before {found.window[1]}" if found.window else "all of the source"
    yield "source", f"{source.path}\n{_amount(found)}"
    if source.notes:
        yield "note", "\n".join(source.notes)
    if source.late_days:
        yield "late days", f"{span(source.late_days)}: read as well, for events of the window that came in late"
    yield "columns read", f"{', '.join(source.columns)}  ({len(source.columns)} of {source.columns_of})"


def _streaming(section: StreamingSummary) -> str:
    return (
        f"{plural(len(section.topics), 'topic')} at {', '.join(section.servers)} ({section.protocol}, "
        f"{section.isolation}): {', '.join(section.topics)}\n"
        f"event types {section.routing}\n"
        f"{plural(section.workers, 'worker')}; a commit every {section.commit_interval_seconds:g} s, or at "
        f"{size(section.epoch_bytes)} a worker; shown to lag tools as the group {section.group}"
    )


def _breaker(breaker: BreakerSummary | None) -> str:
    if breaker is None:
        return "off: a run never stops because of rejects"
    window = f"of an event type's last {plural(breaker.window_events, 'input')} (judged from {breaker.least:,} on)"
    then = "an event type is parked" if breaker.then == "park" else "a run stops"
    return f"{then} when {breaker.ratio:.0%} or more {window} are rejected for one reason"


def _executor(each: ExecutorSummary, config_file: str) -> str:
    used = ", ".join(_use(one) for one in each.enrichments)
    looks_up = f"  looks up {used}" if used else "  looks nothing up"
    owned = f", owned by {each.owner}" if each.owner else ""
    included = each.listed and each.listed.rpartition(":")[0] != config_file
    lines = [
        f"{each.event_type}  {each.form} form, version {each.version}{owned}",
        *([f"  {one_line(each.description)}"] if each.description else []),
        *([f"  listed in {each.listed}"] if included else []),
        looks_up,
    ]
    return "\n".join(lines)


def _use(enrichment: dict[str, str]) -> str:
    time = f" as of {enrichment['as_of']}" if "as_of" in enrichment else ""
    missing, hints = enrichment["missing"], enrichment["hints"]
    return f"{enrichment['lookup']} by {enrichment['key']}{time} (missing: {missing}; {hints})"


def _lookup(lookup: dict[str, Any]) -> str:
    lines = [f"{lookup['name']}  {lookup['type']}, {lookup['place']}"]
    for hints, ways in lookup["ways"].items():
        if len(set(ways.values())) == 1:
            lines.append(f"  {next(iter(ways.values()))}")
        else:
            lines += [f"  {hints}, {runtime}: {text}" for runtime, text in ways.items()]
    return "\n".join(lines)


def _amount(found: BatchPlan) -> str:
    source = found.source
    days = f"; {span(source.days)}" if source.days else ""
    amount = f", {size(source.bytes)}" if source.bytes else ""
    return f"{plural(source.files, 'file')}, {plural(source.rows, 'row')}{amount}{days}"


def _table(table: TableSummary) -> str:
    lines = [table.path]
    if table.version is None:
        lines.append(f"not there yet; will have {len(table.columns)} columns: {', '.join(table.columns)}")
    else:
        added = f"; new columns: {', '.join(table.new_columns)}" if table.new_columns else ""
        wider = f"; wider columns: {', '.join(table.widened_columns)}" if table.widened_columns else ""
        lines.append(f"version {table.version}, {len(table.columns)} columns{added}{wider}")
    if table.kept_columns:
        lines.append(f"stay, and are null in new rows: {', '.join(table.kept_columns)}")
    lines += [f"CONFLICT: {text}; the run will refuse to start" for text in table.conflicts]
    return "\n".join(lines)


def _replaced(table: TableSummary) -> str:
    if not table.replaced:
        return "no files: batch has written none of these days yet"
    files = sum(table.replaced.values())
    days = [f"{day}: {plural(count, 'file')}" for day, count in table.replaced.items()]
    shown = days if len(days) <= 7 else [*days[:3], f"… {len(days) - 6} more days …", *days[-3:]]
    return f"{plural(files, 'file')} of batch in {plural(len(days), 'event day')}\n" + "\n".join(shown)
