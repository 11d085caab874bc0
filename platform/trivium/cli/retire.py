"""`trivium retire`: the one way to remove an event type's rows."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trivium.cli.options import window
from trivium.cli.terminal.tables import facts, show_table
from trivium.cli.terminal.text import plural, span

if TYPE_CHECKING:
    from trivium.operations.retirement import RetirePlan


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("event_type", metavar="TYPE")
@window
@click.option("--dry-run", is_flag=True, help="Show what would go, do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def retire(config: Path, event_type: str, start: date | None, end: date | None, dry_run: bool, yes: bool) -> None:
    """Remove an event type's rows, of batch and streaming, in one commit.

    Without --from and --to those of all event days. Its dead letters and what it had been counted as stay, and so do
    old versions of the table until their retention is over. A type that executors: still lists comes back with the
    next run.
    """
    from trivium.config.compile import compile_file
    from trivium.core.clock import SystemClock
    from trivium.operations import retirement
    from trivium.runtimes.batch.prepare import BatchArguments

    days = BatchArguments(start, end).window()
    plan = retirement.plan_retirement(compile_file(config, runtime=None), event_type, days)
    _show(plan)
    if dry_run:
        click.echo("a dry run: nothing was done")
        return
    if not yes and not click.confirm(f"remove {plural(plan.total, 'row')} of {event_type}?"):
        click.echo("nothing was done")
        raise click.exceptions.Exit(1)
    landed = retirement.carry_out(plan, SystemClock())
    click.echo(f"done: {plan.table}, version {landed.version}")


def _show(plan: RetirePlan) -> None:
    rows = [
        (runtime, f"{sum(days.values()):,}", f"{len(days):,}", span(tuple(day.isoformat() for day in days)))
        for runtime, days in plan.rows.items()
    ]
    show_table(("runtime", "rows", "event days", ""), rows, figures=[1, 2])
    more = "the pipeline still lists this type: the next run adds rows again" if plan.listed else ""
    facts([("table", plan.table), ("event type", plan.event_type), *([("note", more)] if more else [])])
