"""`trivium status`: where a pipeline stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trivium.cli.options import output_format
from trivium.cli.tables import facts, show_table

if TYPE_CHECKING:
    from trivium.operations.status import PartitionStatus, RoadStatus, Status


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@output_format
def status(config: Path, output_format: str) -> None:
    """Show positions, lag, balance, dead letters, and why a run stopped.

    All but the lag is read from the table, so it is there while nothing runs and while Kafka is away.
    """
    from trivium.config.compile import compile_file
    from trivium.contract.clock import SystemClock
    from trivium.operations.status import status_of

    clock = SystemClock()
    found = status_of(compile_file(config, road=None), clock)
    if output_format == "json":
        click.echo(json.dumps(found.as_json(), indent=2))
        return
    _show(found, clock.now_us())


def _show(found: Status, now_us: int) -> None:
    facts(
        [
            ("pipeline", found.pipeline),
            ("table", f"{found.table}, version {found.version}"),
            ("dead letters", f"{found.dead_letters:,}"),
            *((f"{road.runtime}", _road(road, now_us)) for road in found.roads),
        ]
    )
    rows = [(road.runtime, name, *_counts(each)) for road in found.roads for name, each in sorted(road.counts.items())]
    if rows:
        click.echo()
        header = ("road", "event type", "read", "emitted", "dropped", "rejected", "rows")
        show_table(header, rows, figures=range(2, len(header)))
    if found.partitions:
        click.echo()
        columns = ("partition", "position", "end", "lag", "newest record")
        show_table(columns, [_partition(each, now_us) for each in found.partitions], figures=(1, 2, 3))
    if found.kafka:
        click.echo(f"\nthe ends of the logs are not known: {found.kafka}")


def _road(road: RoadStatus, now_us: int) -> str:
    if road.stopped:
        return f"stopped by its breaker: {road.stopped}"
    if road.last_commit_us is None:
        return "nothing committed yet"
    return f"generation {road.generation}, {road.commits:,} commits, the last {_ago(road.last_commit_us, now_us)}"


def _counts(each: object) -> tuple[str, ...]:
    names = ("read", "emitted_inputs", "dropped", "rejected", "emitted_rows")
    return tuple(f"{getattr(each, name):,}" for name in names)


def _partition(each: PartitionStatus, now_us: int) -> tuple[str, ...]:
    figures = (each.position, each.end, each.lag)
    newest = "-" if not each.newest_record_us else _ago(each.newest_record_us, now_us)
    return (each.partition, *("?" if number is None else f"{number:,}" for number in figures), newest)


def _ago(moment_us: int, now_us: int) -> str:
    seconds = max(0, (now_us - moment_us) // 1_000_000)
    at = datetime.fromtimestamp(moment_us / 1e6, UTC)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago ({at:%Y-%m-%d %H:%M:%S} UTC)"
    return f"{seconds} s ago ({at:%Y-%m-%d %H:%M:%S} UTC)"
