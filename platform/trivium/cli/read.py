"""`trivium read`: the rows of a table that count."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from trivium.cli.options import MomentParameter
from trivium.cli.terminal.tables import show_table
from trivium.cli.terminal.text import plural

_FIRST = 20
_LINEAGE = "_"


@click.command()
@click.argument("table")
@click.option("--version", type=click.IntRange(min=0), help="Version of the table; default: the newest.")
@click.option("--as-of", type=MomentParameter(), help="The version that was current at this time.")
@click.option("--sql", type=click.Choice(["duckdb", "polars", "spark"]), help="Print the statement, read nothing.")
@click.option(
    "--limit", type=click.IntRange(min=0), help=f"Rows to show or write; default: {_FIRST}, or all to a file."
)
@click.option("--output", type=click.Path(path_type=Path), help="File to write: .parquet, .csv or .json.")
@click.option("--defuse", is_flag=True, help="To a .csv: ' before text that a spreadsheet would run as a formula.")
def read(
    table: str, version: int | None, as_of: datetime | None, sql: str | None, limit: int | None, **file: Any
) -> None:
    """Read the rows of a table that count.

    One row per identity, by the merge policy of batch and streaming. TABLE is the table's path, or a pipeline file.
    Columns that start with _ say where a row came from; they are written to files and left out on the screen. In a .csv
    lists, maps and structs are JSON text, and bytes are base64.
    """
    from trivium.operations import reading, tables
    from trivium.operations.flat_columns import defused

    if version is not None and as_of is not None:
        raise click.UsageError("expected --version or --as-of, got both")
    at = version if version is not None else as_of
    uri = tables.tables_of(table).table
    if sql:
        click.echo(reading.sql(uri, sql, at), nl=False)  # type: ignore[arg-type]
        return
    output: Path | None = file["output"]
    if file["defuse"] and (output is None or output.suffix != ".csv"):
        raise click.UsageError("--defuse is for --output FILE.csv; other files hold text as text")
    rows = reading.read_rows(uri, at)
    if output:
        chosen = rows.table if limit is None else rows.table.slice(0, limit)
        reading.write_rows(defused(chosen) if file["defuse"] else chosen, output)
        click.echo(f"{plural(chosen.num_rows, 'row')} of {uri}, version {rows.version}, in {output}")
        return
    _show(rows, _FIRST if limit is None else limit)


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
