"""`trivium reset-positions`: a stream goes on from other positions, on purpose and on record."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trivium.cli.options import MomentParameter, offsets_of
from trivium.cli.terminal.tables import show_table
from trivium.cli.terminal.text import plural

if TYPE_CHECKING:
    from trivium.operations.reset import Move, ResetPlan
    from trivium.operations.reset_targets import Target


@click.command("reset-positions")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--to-beginning", "ends", flag_value="beginning", multiple=True, help="To the oldest record; never back.")
@click.option("--to-end", "ends", flag_value="end", multiple=True, help="Past everything there is now.")
@click.option("--to-time", type=MomentParameter(), help="To the first record of this time or later; never back.")
@click.option("--to-offsets", multiple=True, metavar="TOPIC/PARTITION=OFFSET", help="Exactly there; repeatable.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset_positions(
    config: Path,
    ends: tuple[str, ...],
    to_time: datetime | None,
    to_offsets: tuple[str, ...],
    dry_run: bool,
    yes: bool,
) -> None:
    """Move a stream's positions, and stop it if it is running.

    Without an option: topics that were made anew start at their beginning. Records that are passed over are never read;
    their number is kept with the commit. Positions never go back within one topic.
    """
    from trivium.config.compile import compile_file
    from trivium.connectors.kafka.cluster import KafkaLog
    from trivium.core.clock import SystemClock
    from trivium.operations import reset

    target, clock = _target(ends, to_time, to_offsets), SystemClock()
    pipeline = compile_file(config, runtime="streaming")
    log = KafkaLog(pipeline.kafka_source(), pipeline.kafka_password(), clock)
    try:
        plan = reset.plan_reset(pipeline, log, target)
        _show(plan)
        if dry_run:
            click.echo("a dry run: nothing was done")
            return
        click.echo("a running stream of this pipeline is stopped by this; start it again afterwards")
        if not yes and not click.confirm("move the positions?"):
            click.echo("nothing was done")
            raise click.exceptions.Exit(1)
        done = reset.carry_out(pipeline, log, plan, clock)
    finally:
        log.close()
    skipped = plural(done.plan.skipped, "offset")
    click.echo(f"done: {plan.table}, version {done.version}, generation {done.generation}; {skipped} skipped")


def _target(ends: tuple[str, ...], to_time: datetime | None, to_offsets: tuple[str, ...]) -> Target | None:
    from trivium.operations.reset_targets import ToBeginning, ToEnd, ToOffsets, ToTime

    targets: list[Target] = [ToEnd() if end == "end" else ToBeginning() for end in ends]
    if to_time is not None:
        targets.append(ToTime(int(to_time.timestamp() * 1_000_000)))
    if to_offsets:
        targets.append(ToOffsets(offsets_of(to_offsets)))
    if len(targets) > 1:
        raise click.UsageError("expected one of --to-beginning, --to-end, --to-time, --to-offsets, got several")
    return targets[0] if targets else None


def _show(plan: ResetPlan) -> None:
    header = ("partition", "from", "to", "skipped", "")
    show_table(header, [_cells(move) for move in plan.moves], figures=[1, 2, 3])
    for name in plan.retired:
        click.echo(f"{name}: not a partition of the new topic; one that is added later starts at its beginning")


def _cells(move: Move) -> tuple[str, str, str, str, str]:
    now = "never read" if move.now is None else f"{move.now:,}"
    remark = "a topic made anew" if move.new_topic else "" if move.changes else "stays"
    return move.partition, now, f"{move.target:,}", f"{move.skipped:,}", remark
