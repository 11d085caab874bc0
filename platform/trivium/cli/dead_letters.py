"""`trivium dead-letters`: what was rejected, and why. Read only."""

from __future__ import annotations

import json

import click
import msgspec

from trivium.cli.options import output_format
from trivium.cli.terminal.tables import facts, show_table
from trivium.cli.terminal.text import one_line, plural


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at rejected inputs, which are kept whole."""


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
    click.echo(plural(len(chosen), "dead letter"))
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
