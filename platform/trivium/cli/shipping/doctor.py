"""`trivium doctor`: whether this machine, a cluster and a pipeline's surroundings are fit for a run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from trivium.cli.options import output_format
from trivium.cli.terminal.text import printable

if TYPE_CHECKING:
    from trivium.operations.shipping.finding import Finding

_MARKS: Final = {"ok": "✓", "warning": "!", "error": "✗"}


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--address", metavar="URL", help="Dashboard of a cluster to look at, too.")
@output_format
def doctor(config: Path | None, address: str | None, output_format: str) -> None:
    """Look at this machine; with CONFIG at its variables and its storage, too; with --address at a cluster.

    One line each: ✓ fine, ! a run may suffer, ✗ it will fail. Exit code 1 with any ✗. To look at storage it creates a
    small file beside the tables and removes it.
    """
    from trivium.operations.shipping.finding import has_errors

    findings = _findings(config, address)
    if output_format == "json":
        click.echo(json.dumps({"findings": msgspec.to_builtins(findings)}, ensure_ascii=False, indent=2))
    else:
        for each in findings:
            click.echo(f"{_MARKS[each.level]} {printable(str(each))}")
    if has_errors(findings):
        raise click.exceptions.Exit(1)


def _findings(config: Path | None, address: str | None) -> list[Finding]:
    from trivium.config.compile import compile_file
    from trivium.config.problems import ConfigError
    from trivium.operations.shipping.cluster import look_at_cluster
    from trivium.operations.shipping.credentials import look_at_credentials, look_at_storage
    from trivium.operations.shipping.machine import look_at_machine
    from trivium.operations.shipping.preflight import UNSET, problem_found

    cluster = look_at_cluster(address) if address else []
    if config is None:
        return [*look_at_machine(), *cluster]
    variables = list(look_at_credentials(config, os.environ))
    try:
        pipeline = compile_file(config, runtime=None)
    except ConfigError as error:
        problems = [problem_found(each) for each in error.problems if each.code != UNSET]
        return [*look_at_machine(), *cluster, *variables, *problems]
    sections = (pipeline.config.batch, pipeline.config.streaming)
    workers = max((section.workers for section in sections if section), default=1)
    return [*look_at_machine(workers), *cluster, *variables, *look_at_storage(pipeline)]
