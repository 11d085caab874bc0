"""`trivium dead-letters`: what was rejected or parked, and why; parked inputs processed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from trivium.cli.options import output_format
from trivium.cli.terminal.tables import facts, show_table
from trivium.cli.terminal.text import one_line, plural

if TYPE_CHECKING:
    from trivium.engine.outcomes import Counts


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at rejected and parked inputs, which are kept whole; process parked ones again."""


@dead_letters.command("list")
@click.argument("table_or_config")
@click.option("--reason", help="Only of this reason.")
@click.option("--type", "event_type", help="Only of this event type.")
@output_format
def list_groups(table_or_config: str, reason: str | None, event_type: str | None, output_format: str) -> None:
    """Count dead letters by event type, stage and reason.

    TABLE_OR_CONFIG is a pipeline file, or the path of its table or of its dead letters (TABLE_dead_letters).
    """
    from trivium.operations import dead_letters as letters
    from trivium.operations.tables import tables_of

    tables = tables_of(table_or_config)
    chosen = letters.chosen(letters.read_letters(tables), reason, event_type)
    groups = letters.grouped(chosen, tables)
    if output_format == "json":
        click.echo(json.dumps(groups, default=msgspec.to_builtins, indent=2))
        return
    if groups:
        owned = any(group.owner or group.description for group in groups)
        header = ("event type", "stage", "reason", "count", "first", "last", "error of the first")
        rows = [
            (group.event_type or "-", group.stage, group.reason, f"{group.count:,}", group.first, group.last)
            for group in groups
        ]
        errors = [one_line(group.error) for group in groups]
        owners = [(group.owner or "-", one_line(group.description or "")) if owned else () for group in groups]
        lines = [(*row, error, *owner) for row, error, owner in zip(rows, errors, owners, strict=True)]
        show_table((*header, *(("owner", "description") if owned else ())), lines, figures=[3])
    parked = sum(group.count for group in groups if group.stage == letters.PARKED)
    apart = f", {plural(parked, 'parked input')}" if parked else ""
    click.echo(f"{plural(len(chosen) - parked, 'dead letter')}{apart}")
    for each in letters.left_out(tables, event_type):
        days = f"{plural(each.inputs, 'input')} of {each.days}"
        click.echo(f"batch has left out {each.event_type}, {days}; they stay in the archive")
    if groups:
        click.echo(f"one whole: trivium dead-letters show {table_or_config} {one_line(groups[0].first)}")


@dead_letters.command()
@click.argument("table_or_config")
@click.argument("place", metavar="SOURCE:POSITION")
@output_format
def show(table_or_config: str, place: str, output_format: str) -> None:
    """Show one dead letter whole, with its original value."""
    from trivium.operations import dead_letters as letters
    from trivium.operations.tables import tables_of

    letter = letters.at_place(letters.read_letters(tables_of(table_or_config)), place)
    if output_format == "json":
        click.echo(json.dumps(letter, indent=2))
        return
    facts((name, "-" if value is None else str(value)) for name, value in letter.items())


@dead_letters.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--parked", "event_type", metavar="TYPE", required=True, help="The event type whose parked inputs to process."
)
@click.option("--address", help="Ray cluster, for batch's days; default: RAY_ADDRESS, else one of its own here.")
@output_format
def replay(config: Path, event_type: str, address: str | None, output_format: str) -> None:
    """Process parked inputs of an event type by its executor as it is now.

    Of a stream these are the parked letters: rows go to the table as the stream would have written them, each exactly
    once, however often this is killed and started again. A stream of the pipeline may run meanwhile; it holds the type
    back until it is started again. Of batch they are the event days that were left out: they are made from the archive.
    What is rejected again becomes a dead letter.
    """
    from trivium.config.compile import compile_file
    from trivium.core.clock import SystemClock
    from trivium.operations.replay.parked import process_parked

    done = process_parked(compile_file(config, runtime=None), event_type, SystemClock(), address)
    if output_format == "json":
        click.echo(json.dumps(done, default=msgspec.to_builtins, indent=2))
        return
    if done.letters is None and not done.days:
        click.echo(f"no input of {event_type} is parked")
    if done.letters is not None:
        version = "" if done.letters.version is None else f"; {done.letters.table}, version {done.letters.version}"
        click.echo(f"streaming: {_balance(done.letters.counts)}{version}")
    for each in done.days:
        report = each.report
        click.echo(f"batch, {each.window or 'all event days'}: {_balance(report.total)}; version {report.version}")


def _balance(counts: Counts) -> str:
    return (
        f"{plural(counts.read, 'input')}: {counts.emitted_inputs:,} emitted ({plural(counts.emitted_rows, 'row')}), "
        f"{counts.dropped:,} dropped, {counts.rejected:,} rejected"
    )
