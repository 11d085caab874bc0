"""`trivium dead-letters`: what was rejected or parked, and why; parked inputs processed again."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec

from trivium.cli.options import output_format
from trivium.cli.terminal.tables import facts, show_table
from trivium.cli.terminal.text import one_line, plural


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
@output_format
def replay(config: Path, event_type: str, output_format: str) -> None:
    """Process parked inputs of an event type by its executor as it is now.

    Rows go to the table as the stream would have written them, each exactly once, however often this is killed and
    started again; a stream of the pipeline may run meanwhile. What is rejected again becomes a dead letter. The type is
    not parked any more after it: a stream that runs goes on to hold it back until it is started again.
    """
    from trivium.config.compile import compile_file
    from trivium.core.clock import SystemClock
    from trivium.operations.replay.run import replay_parked

    done = replay_parked(compile_file(config, runtime=None), event_type, SystemClock())
    if output_format == "json":
        click.echo(json.dumps(done, default=msgspec.to_builtins, indent=2))
        return
    if done.version is None:
        click.echo(f"no input of {event_type} is parked")
        return
    counts = done.counts
    click.echo(
        f"{plural(counts.read, 'parked input')} of {event_type}: {counts.emitted_inputs:,} emitted "
        f"({plural(counts.emitted_rows, 'row')}), {counts.dropped:,} dropped, {counts.rejected:,} rejected, which are "
        f"dead letters now; {done.table}, version {done.version}"
    )
