"""`trivium submit`: a run as a Ray job, looked at before it goes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trivium.cli.run import batch as run_batch
from trivium.cli.run import streaming as run_streaming
from trivium.cli.terminal.text import printable

if TYPE_CHECKING:
    from trivium.operations.shipping.finding import Finding
    from trivium.operations.shipping.submission import JobRuntime, Submission

_RUNS = {"batch": run_batch, "streaming": run_streaming}


@click.group()
def submit() -> None:
    """Submit a run to a Ray cluster as a job, after a look at what would stop it there.

    What is wrong is printed, and nothing is submitted. Exit code: that of Ray's command; 1 where something is wrong.
    """


def variables(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--env NAME=VALUE`, as the parameter `given`, a mapping."""

    @wraps(command)
    def with_variables(*args: Any, given: tuple[str, ...], **more: Any) -> Any:
        return command(*args, given=_mapping(given), **more)

    option = click.option(
        "--env", "given", multiple=True, metavar="NAME=VALUE", help="Set a variable there; repeatable. No secrets."
    )
    return option(with_variables)


def only_print(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--print`, as the parameter `dry`."""
    return click.option("--print", "dry", is_flag=True, help="Only print the line of Ray.")(command)


def _mapping(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise click.UsageError(f"--env: expected NAME=VALUE, got {text!r}")
        found[name] = value
    return found


def _command(runtime: JobRuntime) -> click.Command:
    @submit.command(
        runtime,
        context_settings={"ignore_unknown_options": True},
        help=f"Submit `trivium run {runtime}` with the arguments given.",
    )
    @click.argument("config", type=click.Path(path_type=Path))
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    @variables
    @only_print
    @click.option("--no-wait", is_flag=True, help="Return once the job is submitted; default: follow its output.")
    @click.option("--address", help="Dashboard of the cluster; default: as Ray's own command.")
    def command(config: Path, arguments: tuple[str, ...], given: dict[str, str], **options: Any) -> None:
        from trivium.operations.shipping.submission import submission_of

        words = [str(config), *arguments]
        _RUNS[runtime].make_context(f"trivium run {runtime}", words)
        _submit(submission_of(runtime, config, arguments, given), **options)

    return command


_command("batch")
_command("streaming")


def _submit(job: Submission, *, dry: bool, no_wait: bool, address: str | None) -> None:
    from trivium.operations.shipping.cluster import dashboard_of, look_at_cluster
    from trivium.operations.shipping.preflight import look_at_job
    from trivium.operations.shipping.submission import shown

    findings = look_at_job(job)
    if not dry:
        findings += look_at_cluster(dashboard_of(address, os.environ))
    line = job.line(address, wait=not no_wait)
    end(findings, line, shown(line, job.root), job.root, dry)


def end(findings: Sequence[Finding], line: Sequence[str], text: str, folder: Path, dry: bool) -> None:
    """Print what was found and the line; run it in the folder unless only the line is wanted or something is wrong."""
    from trivium.operations.shipping.finding import has_errors

    show_findings(findings)
    click.echo(text)
    if has_errors(findings):
        raise click.exceptions.Exit(1)
    if not dry:
        program = Path(sys.executable).with_name(line[0])
        done = subprocess.run([str(program) if program.is_file() else line[0], *line[1:]], cwd=folder, check=False)
        raise click.exceptions.Exit(done.returncode)


def show_findings(findings: Sequence[Finding]) -> None:
    """Print what is wrong, or may be, on standard error."""
    for each in findings:
        if each.level != "ok":
            click.echo(f"{each.level}: {printable(str(each))}", err=True)
