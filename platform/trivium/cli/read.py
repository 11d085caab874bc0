"""`trivium read`: the rows of a table that count."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trivium.cli.options import MomentParameter, output_format
from trivium.cli.terminal.tables import show_table
from trivium.cli.terminal.text import plural

if TYPE_CHECKING:
    from trivium.operations.incomplete import IncompleteRows

_FIRST = 20
_LINEAGE = "_"
STATES = ("missing", "null_key", "unavailable", "stale", "defaulted")
"""The states of a fact, as `FactState` has them; written here for a start without Arrow."""


@click.command()
@click.argument("table")
@click.option("--version", type=click.IntRange(min=0), help="Version of the table; default: the newest.")
@click.option("--as-of", type=MomentParameter(), help="The version that was current at this time.")
@click.option("--sql", type=click.Choice(["duckdb", "polars", "spark"]), help="Print the statement, read nothing.")
@click.option(
    "--limit", type=click.IntRange(min=0), help=f"Rows to show or write; default: {_FIRST}, or all to a file."
)
@click.option("--output", type=click.Path(path_type=Path), help="File to write: .parquet, .csv or .json.")
@click.option(
    "--incomplete", is_flag=True, help="Count the rows of which a fact was no plain hit; with --output, write them."
)
@click.option(
    "--state",
    "states",
    type=click.Choice(STATES),
    multiple=True,
    help="With --incomplete: only facts of this state; may be repeated.",
)
@output_format
@click.option("--defuse", is_flag=True, help="To a .csv: ' before text that a spreadsheet would run as a formula.")
def read(
    table: str, version: int | None, as_of: datetime | None, sql: str | None, limit: int | None, **given: Any
) -> None:
    """Read the rows of a table that count.

    One row per identity, by the merge policy of batch and streaming. TABLE is the table's path, or a pipeline file.
    Columns that start with _ say where a row came from; they are written to files and left out on the screen. In a .csv
    lists, maps and structs are JSON text, and bytes are base64. What --incomplete counts is made anew by trivium run
    batch CONFIG --repair, where asking again may help.
    """
    from trivium.operations import incomplete, reading, tables
    from trivium.operations.flat_columns import defused

    if version is not None and as_of is not None:
        raise click.UsageError("expected --version or --as-of, got both")
    at = version if version is not None else as_of
    uri = tables.tables_of(table).table
    _check(given, sql)
    output: Path | None = given["output"]
    if given["incomplete"] and output is None:
        _show_incomplete(incomplete.incomplete_rows(uri, at, given["states"]), given["output_format"])
        return
    if sql:
        click.echo(reading.sql(uri, sql, at), nl=False)  # type: ignore[arg-type]
        return
    rows = reading.read_rows(uri, at)
    if output:
        found = incomplete.incomplete_among(rows.table, given["states"]) if given["incomplete"] else rows.table
        chosen = found if limit is None else found.slice(0, limit)
        reading.write_rows(defused(chosen) if given["defuse"] else chosen, output)
        click.echo(f"{plural(chosen.num_rows, 'row')} of {uri}, version {rows.version}, in {output}")
        return
    _show(rows, _FIRST if limit is None else limit)


def _check(given: Mapping[str, Any], sql: str | None) -> None:
    output: Path | None = given["output"]
    if given["defuse"] and (output is None or output.suffix != ".csv"):
        raise click.UsageError("--defuse is for --output FILE.csv; other files hold text as text")
    if given["incomplete"] and sql:
        raise click.UsageError("expected --incomplete or --sql, got both")
    if given["states"] and not given["incomplete"]:
        raise click.UsageError("--state is for --incomplete")
    if given["output_format"] == "json" and (output is not None or not given["incomplete"]):
        raise click.UsageError("--format is for --incomplete on the screen; for rows: --output FILE.json")


def _show_incomplete(found: IncompleteRows, output_format: str) -> None:
    if output_format == "json":
        click.echo(json.dumps(asdict(found), indent=2))
        return
    names = ("event type", "enrichment", "state", "day", "runtime", "rows")
    cells = [
        (each.event_type, each.enrichment, each.state, each.day, each.runtime, f"{each.rows:,}")
        for each in found.groups
    ]
    if cells:
        show_table(names, cells, figures=[5])
    click.echo(f"{plural(found.rows, 'row')} with such facts, {found.uri}, version {found.version}")


def _show(rows: Any, limit: int) -> None:
    names = [name for name in rows.table.column_names if not name.startswith(_LINEAGE)]
    first = rows.first(limit)
    if first:
        show_table(names, [[_cell(row[name]) for name in names] for row in first])
    shown = f"the first {len(first):,} of " if len(first) < rows.table.num_rows else ""
    click.echo(f"{shown}{plural(rows.table.num_rows, 'row')}, {rows.uri}, version {rows.version}")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
