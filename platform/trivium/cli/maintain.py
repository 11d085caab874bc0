"""`trivium maintain`: fewer and larger files, a short log, nothing left lying."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import msgspec

from trivium.cli.options import output_format
from trivium.cli.terminal.tables import facts
from trivium.cli.terminal.text import plural, size

if TYPE_CHECKING:
    from trivium.delivery.maintenance.upkeep import Maintained


@click.command()
@click.argument("table_or_config")
@click.option(
    "--retention-hours",
    type=click.IntRange(min=24),
    default=168,
    show_default=True,
    help="Every version of that long stays readable.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, do nothing.")
@output_format
def maintain(table_or_config: str, retention_hours: int, dry_run: bool, output_format: str) -> None:
    """Compact small files, clean up the log, remove files nobody needs; beside running jobs, too.

    TABLE_OR_CONFIG is a pipeline file or the path of its table; the dead letters are maintained with it. What the
    erased log entries counted is kept in the table's ledger.
    """
    from trivium.operations import maintain as work
    from trivium.operations.tables import tables_of

    act = work.preview if dry_run else work.maintain
    reports = act(tables_of(table_or_config), retention_hours)
    if output_format == "json":
        click.echo(json.dumps(reports, default=msgspec.to_builtins, indent=2))
        return
    if dry_run:
        click.echo("a dry run: nothing was done; this would be")
    for report in reports:
        facts(_lines(report))


def _lines(report: Maintained) -> list[tuple[str, str]]:
    compacted = report.compacted
    lines = [
        ("table", report.table),
        ("before", _amount(report.files_before, report.bytes_before)),
        ("after", _amount(report.files_after, report.bytes_after)),
        ("compacted", f"{plural(compacted.files_before, 'file')} into {compacted.files_after:,}"),
        ("log", f"{report.log_entries_removed:,} removed, {report.ledger_commits_added:,} copied into the ledger"),
        ("removed", _removed(report)),
    ]
    if compacted.superseded:
        lines.append(("left alone", f"{plural(compacted.superseded, 'file')}, replaced by a batch run meanwhile"))
    if compacted.lost:
        lines.append(("given up", f"{plural(compacted.lost, 'file')}, other writers were always first; try again"))
    return lines if report.checkpoint is None else [*lines, ("checkpoint", f"version {report.checkpoint}")]


def _amount(files: int, bytes_of_them: int) -> str:
    return f"{plural(files, 'file')}, {size(bytes_of_them)}"


def _removed(report: Maintained) -> str:
    orphans = plural(report.orphans_removed, "data file")
    return f"{orphans}, {plural(report.leftovers_removed, 'leftover')}, {size(report.removed_bytes)}"
