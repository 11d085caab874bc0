"""`trivium new`: first files that work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trivium.devtools.scaffold import Written


@click.group()
def new() -> None:
    """Write the first files of a project or of an executor."""


@new.command()
@click.argument("name")
def project(name: str) -> None:
    """Write a project that runs: an executor, a pipeline, a small archive, tests."""
    from trivium.devtools.scaffold import new_project

    written = new_project(name, Path.cwd())
    _show(written)
    click.echo(f"\nNext:\n  cd {name}\n  trivium check\n  trivium run batch configs/{name}.yaml")


@new.command()
@click.argument("event_type", metavar="TYPE")
@click.option("--config", type=click.Path(path_type=Path), help="Pipeline file that gets the line.")
def executor(event_type: str, config: Path | None) -> None:
    """Write an executor of an event type, its samples and a test, and list it in the pipeline file."""
    from trivium.devtools.project import find_root, only_pipeline_file
    from trivium.devtools.scaffold import new_executor

    root = find_root(Path.cwd())
    _show(new_executor(event_type, root, config or only_pipeline_file(root)))
    click.echo("\nNext:\n  trivium check")


def _show(written: Written) -> None:
    for path in written.created:
        click.echo(f"created  {_relative(path)}")
    if written.changed:
        click.echo(f"changed  {_relative(written.changed)}")


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
