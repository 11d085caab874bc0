"""`trivium check`: pipeline files, executors and their samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trivium.cli.options import output_format
from trivium.cli.text import plural, printable

if TYPE_CHECKING:
    from trivium.config.problems import ConfigError
    from trivium.operations.samples import TypeCheck


@dataclass(frozen=True)
class _Checked:
    """One pipeline file: its problems, or its types' samples."""

    file: Path
    problems: ConfigError | None
    types: Sequence[TypeCheck]

    @property
    def differs(self) -> bool:
        return any(each.problems for each in self.types)


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--update", is_flag=True, help="Write the outcomes of samples that differ; events stay.")
@output_format
@click.pass_context
def check(ctx: click.Context, config: Path | None, update: bool, output_format: str) -> None:
    """Check pipeline files, executors and samples.

    CONFIG is a pipeline file; without it, all of the project's configs/. Exit code 2: problems in a file; 1: samples
    that come to another outcome.
    """
    from trivium.operations.project import find_root, pipeline_files
    from trivium.operations.samples import check_samples, update_samples

    files = [config] if config else [_shown(file) for file in pipeline_files(find_root(Path.cwd()))]
    checked = [_check(file, update_samples if update else check_samples) for file in files]
    if output_format == "json":
        click.echo(json.dumps({"files": [_json(each) for each in checked]}, ensure_ascii=False, indent=2))
    else:
        for each in checked:
            _show(each)
    ctx.exit(2 if any(each.problems for each in checked) else 1 if any(each.differs for each in checked) else 0)


def _check(file: Path, samples: Any) -> _Checked:
    from trivium.config.compile import compile_file
    from trivium.config.problems import ConfigError

    try:
        return _Checked(file, None, samples(compile_file(file, road=None)))
    except ConfigError as error:
        return _Checked(file, error, ())


def _show(checked: _Checked) -> None:
    if checked.problems:
        click.echo(printable(str(checked.problems), keep="\n"), err=True)
        click.echo(f"✗ {checked.file}: {plural(len(checked.problems.problems), 'problem')}")
        return
    click.echo(f"{checked.file}")
    for each in checked.types:
        click.echo(f"  {_line(each)}")
        for problem in each.problems:
            click.echo(f"    {printable(problem)}")
    differing = sum(bool(each.problems) for each in checked.types)
    verdict = f"✗ {plural(differing, 'executor')} with differences" if differing else "✓ all good"
    click.echo(verdict)


def _line(each: TypeCheck) -> str:
    name = each.event_type
    if each.problems:
        return f"✗ {name}: {plural(len(each.problems), 'difference')} in {plural(each.samples, 'sample')}"
    if not each.samples:
        return f"! {name}: no samples; write events into {_shown(each.file)}, then trivium check --update"
    updated = f", {len(each.updated)} updated" if each.updated else ""
    return f"✓ {name}: {plural(each.samples, 'sample')}{updated}"


def _json(checked: _Checked) -> dict[str, Any]:
    types = [
        {
            "type": each.event_type,
            "file": str(each.file),
            "samples": each.samples,
            "differences": list(each.problems),
            "updated": list(each.updated),
        }
        for each in checked.types
    ]
    problems = checked.problems.as_json() if checked.problems else []
    return {"file": str(checked.file), "problems": problems, "types": types}


def _shown(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
