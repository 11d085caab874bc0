"""`trivium samples`: golden samples from what a pipeline reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from trivium.cli.terminal.text import plural, printable


@click.group()
def samples() -> None:
    """Golden samples of executors."""


@samples.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("event_type", metavar="TYPE")
@click.option("--facts", is_flag=True, help="Ask the pipeline's lookups, and write what they answer beside each event.")
@click.option("--count", type=click.IntRange(min=1), default=5, show_default=True, help="Events of the batch source.")
@click.option("--input", "file", type=click.Path(path_type=Path), help="Take the events of a file of JSON lines.")
@click.option("--seed", type=int, default=0, help="Pick other events of the source.")
def take(config: Path, event_type: str, **given: Any) -> None:
    """Append events of one type to its samples.

    They come from the pipeline's batch source, or from --input, without outcomes: trivium check --update writes those.
    An event is left out if a lookup does not answer for one of its keys. Look at what was taken before it is shared:
    it is real data. Exit code 1: events were left out.
    """
    from trivium.config.compile import compile_file
    from trivium.core.clock import SystemClock
    from trivium.samples.take import TakeSpec, take_samples

    taken = take_samples(compile_file(config, runtime=None), event_type, TakeSpec(**given), SystemClock())
    known = f" ({taken.known:,} of them were there already)" if taken.known else ""
    shown = taken.file.relative_to(Path.cwd()) if taken.file.is_relative_to(Path.cwd()) else taken.file
    click.echo(f"{plural(taken.samples, 'sample')} appended to {shown}{known}")
    for text in taken.refused:
        click.echo(f"✗ {printable(text)}; its events were left out")
    if taken.samples:
        click.echo(f"then: trivium check {config} --update")
    if taken.refused:
        raise click.exceptions.Exit(1)
