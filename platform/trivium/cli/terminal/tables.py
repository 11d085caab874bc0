"""Tables on a terminal; plain columns where the output is no terminal, never cut there."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from trivium.cli.terminal.text import printable

if TYPE_CHECKING:
    from rich.table import Table


def show_table(header: Sequence[str], rows: Iterable[Sequence[str]], figures: Iterable[int] = ()) -> None:
    """Print a table. `figures` are the columns set to the right. Cells are shown as they are, escapes aside."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    right = set(figures)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        _add(table, row)
    terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout) if terminal else Console(file=sys.stdout, width=_width(table))
    console.print(table)


def _add(table: Table, row: Sequence[str]) -> None:
    from rich.text import Text

    table.add_row(*(Text(printable(cell)) for cell in row))


def _width(table: Table) -> int:
    from rich.console import Console

    wide = Console(width=100_000)
    return wide.measure(table).maximum


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names with what belongs to them, one a line; further lines are set below the first."""
    listed = list(pairs)
    width = max(len(name) for name, _ in listed)
    for name, text in listed:
        indented = printable(text, keep="\n").replace("\n", "\n" + " " * (width + 2))
        click.echo(f"{name:<{width}}  {indented}")
