"""`trivium run`: a pipeline on one of its runtimes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trivium.cli.options import MomentParameter, RunScope, beginning, checked, run_scope
from trivium.cli.run_serving import serving
from trivium.cli.terminal.tables import facts, show_table
from trivium.cli.terminal.text import plural, span

if TYPE_CHECKING:
    from trivium.config.pipeline import Pipeline
    from trivium.engine.outcomes import Counts
    from trivium.operations.plans.versions import Remake
    from trivium.runtimes.batch.prepare import BatchArguments
    from trivium.runtimes.batch.report import BatchReport
    from trivium.runtimes.streaming.report import StreamReport


@click.group()
def run() -> None:
    """Run a pipeline."""


run.add_command(serving)


@run.command()
@click.argument("config", type=click.Path(path_type=Path))
@run_scope
@click.option(
    "--complete-as-of",
    type=MomentParameter(),
    help="When the source was complete: what was streamed before and batch does not have is hidden. Default: each "
    "source day's oldest file.",
)
@click.option("--stale", is_flag=True, help="Make just the days of each type anew that another executor version made.")
@click.option(
    "--repair", is_flag=True, help="Make just the days of each type anew with rows whose facts were not all to be had."
)
@click.option("--address", help="Ray cluster; default: RAY_ADDRESS, else one of its own on this machine.")
def batch(config: Path, scope: RunScope, complete_as_of: datetime | None, address: str | None, **only: bool) -> None:
    """Read the archive, and replace batch's rows of these event days and types in one commit.

    With --stale and --repair in a commit for each stretch of days. --repair looks for facts that were unavailable,
    stale, defaulted or missing, as trivium read --incomplete lists them.
    """
    from trivium.config.compile import compile_file
    from trivium.runtimes.batch.parked import AllParked
    from trivium.runtimes.batch.prepare import BatchArguments
    from trivium.runtimes.batch.run import run_batch

    arguments = checked(
        BatchArguments(scope.start, scope.end, complete_as_of, address, scope.missing_days, scope.types)
    )
    pipeline = compile_file(config)
    wanted = [name for name, given in only.items() if given]
    if not wanted:
        _show(run_batch(pipeline, arguments), config)
        return
    for each in _remakes(pipeline, arguments, wanted):
        window = each.window
        click.echo(f"{', '.join(each.types)}: {window or 'all of the source'}")
        days = (window.start, window.end) if window else (None, None)
        try:
            _show(run_batch(pipeline, replace(arguments, start=days[0], end=days[1], types=each.types)), config)
        except AllParked as parked:  # the days of other types are made all the same
            click.echo(f"left as it is: {parked}")


def _remakes(pipeline: Pipeline, arguments: BatchArguments, wanted: list[str]) -> list[Remake]:
    from trivium.delivery.delta.snapshot import Snapshot
    from trivium.operations.errors import ArgumentError
    from trivium.operations.plans.versions import remakes

    if len(wanted) > 1:
        raise ArgumentError("expected --stale or --repair, got both. Try: one after the other")
    if arguments.start is not None:
        raise ArgumentError(f"expected --{wanted[0]} or --from and --to, got both: the table says which days")
    narrowed = pipeline.of_types(arguments.types) if arguments.types else pipeline
    find = {"stale": _stale, "repair": _incomplete}[wanted[0]]
    return remakes(narrowed, find(narrowed) if Snapshot.find(pipeline.config.table.path) else {})


def _stale(pipeline: Pipeline) -> dict[str, list[str]]:
    from trivium.delivery.delta.snapshot import Snapshot
    from trivium.operations.plans.versions import stale_days, versions_of

    found = stale_days(pipeline, versions_of(Snapshot.latest(pipeline.config.table.path)))
    if not found:
        click.echo("nothing is stale: today's executors made every row that batch has")
    return found


def _incomplete(pipeline: Pipeline) -> dict[str, list[str]]:
    from trivium.operations.incomplete import incomplete_rows

    incomplete = incomplete_rows(pipeline.config.table.path)
    if streamed := incomplete.streamed(pipeline.executors):
        click.echo(
            f"rows of streams lack {plural(streamed, 'fact')}, too: trivium read {pipeline.config.table.path} "
            "--incomplete lists them; a batch run over their days hides them once the archive has the events"
        )
    found = {name: days for name, days in incomplete.repairable().items() if name in pipeline.executors}
    for name, days in found.items():
        click.echo(f"{name}: {plural(len(days), 'day')} to repair: {', '.join(days)}")
    if not found:
        click.echo("nothing is to be repaired: no row of batch lacks a fact that asking again may give")
    return found


@run.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--until-caught-up", is_flag=True, help="Stop at what the topics held at the start; default: endless.")
@click.option(
    "--from-time", type=MomentParameter(), help="Only for a table without positions: start at this record time."
)
@click.option(
    "--from-offsets",
    multiple=True,
    metavar="TOPIC/PARTITION=OFFSET",
    help="Only for a table without positions: start here; one for each partition.",
)
@click.option("--address", help="Ray cluster; default: RAY_ADDRESS, else one of its own on this machine.")
def streaming(
    config: Path, until_caught_up: bool, from_time: datetime | None, from_offsets: tuple[str, ...], address: str | None
) -> None:
    """Consume the topics, and commit rows and positions together once an interval.

    SIGTERM and Ctrl-C drain: what is under way is committed. A second one ends the run at once, which loses nothing.
    """
    from trivium.config.compile import compile_file
    from trivium.runtimes.logs import log_json_lines, log_sentences
    from trivium.runtimes.streaming.run import StreamArguments, run_streaming

    if sys.stderr.isatty():
        log_sentences()
    else:
        log_json_lines()
    arguments = StreamArguments(until_caught_up, beginning(from_time, from_offsets), address)
    _show_stream(run_streaming(compile_file(config, runtime="streaming"), arguments), config)


def _show_stream(report: StreamReport, config: Path) -> None:
    header = ("event type", "read", "emitted", "dropped", "rejected", "rows")
    rows = [_stream_cells(name, counts) for name, counts in sorted(report.counts.items())]
    show_table(header, [*rows, _stream_cells("all", report.total)], figures=range(1, len(header)))
    letters = plural(report.dead_letters, "dead letter")
    if report.dead_letters:
        letters += f"; see: trivium dead-letters list {shlex.quote(str(config))}"
    facts(
        [
            ("commits", f"{report.commits:,} in {report.seconds:.1f} s, {plural(report.workers_lost, 'worker')} lost"),
            ("positions", ", ".join(f"{name} {at:,}" for name, at in sorted(report.positions.items()))),
            ("table", f"{report.table}, version {report.version}" if report.commits else report.table),
            ("rejected", letters),
            *_parked(report.counts, config),
        ]
    )


def _parked(counts: Mapping[str, Counts], config: Path) -> list[tuple[str, str]]:
    """Return a line for each type that was held back."""
    command = f"trivium dead-letters replay {shlex.quote(str(config))} --parked"
    held = [(name, plural(each.parked, "input")) for name, each in sorted(counts.items()) if each.parked]
    return [("parked", f"{inputs} of {name}; once mended: {command} {name}") for name, inputs in held]


def _stream_cells(name: str, counts: Counts) -> tuple[str, ...]:
    cells = _cells(name, counts)
    return (*cells[:5], cells[6])


def _show(report: BatchReport, config: Path) -> None:
    header = ("event type", "read", "emitted", "dropped", "rejected", "out of window", "rows")
    rows = [_cells(name, counts) for name, counts in sorted(report.counts.items())]
    show_table(header, [*rows, _cells("all", report.total)], figures=range(1, len(header)))
    rate = report.total.read / report.seconds if report.seconds > 0 else 0.0
    resumed = f", {report.units_reused} resumed" if report.units_reused else ""
    if report.units_reused_in_part:
        resumed += f", {report.units_reused_in_part} resumed in part"
    letters = plural(report.dead_letters, "dead letter")
    if report.dead_letters:
        letters += f"; see: trivium dead-letters list {shlex.quote(str(config))}"
    left = [("left as it is", f"event days {span(report.left_out)}: source days are missing")]
    facts(
        [
            ("speed", f"{rate:,.0f} events/s, {report.seconds:.1f} s, {plural(report.units, 'unit')}{resumed}"),
            ("table", f"{report.table}, version {report.version}"),
            ("rejected", letters),
            *_parked(report.counts, config),
            *(left if report.left_out else ()),
            ("in Python", duckdb_lines(report.table)),
        ]
    )


def _cells(name: str, counts: Counts) -> tuple[str, ...]:
    numbers = (
        *(counts.read, counts.emitted_inputs, counts.dropped),
        *(counts.rejected, counts.out_of_window, counts.emitted_rows),
    )
    return (name, *(f"{number:,}" for number in numbers))


def duckdb_lines(table: str) -> str:
    """Return two lines of Python that read the table with DuckDB, with no trivium installed."""
    return (
        f"import deltalake, duckdb; events = deltalake.DeltaTable({table!r}).to_pyarrow_dataset()\n"
        'print(duckdb.sql("SELECT _event_type, count(*) AS events FROM events GROUP BY ALL ORDER BY ALL"))'
    )
