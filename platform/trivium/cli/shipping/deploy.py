"""`trivium deploy`: a pipeline as a service of a Ray cluster."""

from __future__ import annotations

import os
from pathlib import Path

import click

from trivium.cli.shipping.submit import end, only_print, show_findings, variables


@click.group()
def deploy() -> None:
    """Deploy a pipeline to a Ray cluster, after a look at what would stop it there."""


@deploy.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--working-dir", required=True, metavar="URI", help="Zip of the project: https://, s3:// or gs://.")
@click.option("--py-module", "py_modules", multiple=True, metavar="URI", help="Zip of a package; repeatable.")
@variables
@only_print
@click.option("--address", metavar="URL", help="Dashboard of the cluster; default: as Ray's own command.")
def serving(
    config: Path, working_dir: str, py_modules: tuple[str, ...], given: dict[str, str], dry: bool, address: str | None
) -> None:
    """Write the service's configuration below .trivium/ of the project, and call `serve deploy` with it.

    What is wrong is printed, and nothing is deployed. Exit code: that of Serve's command; 1 where something is wrong.
    """
    from trivium.operations.shipping.cluster import dashboard_of, look_at_cluster
    from trivium.operations.shipping.finding import has_errors
    from trivium.operations.shipping.service import Code, look_at_service, service_config, write_config
    from trivium.operations.shipping.submission import shown

    code = Code(working_dir, py_modules, given)
    findings, pipeline = look_at_service(config, code)
    if not dry:
        where = address or os.environ.get("RAY_DASHBOARD_ADDRESS")
        findings += look_at_cluster(dashboard_of(where, {}))
    if pipeline is None:
        show_findings(findings)
        raise click.exceptions.Exit(1)
    root = pipeline.root
    content = service_config(pipeline, pipeline.config_file, code)
    if not has_errors(findings):
        write_config(config, content)
    file = f".trivium/serve/{config.stem}.yaml"
    line = ["serve", "deploy", file, *(["--address", address] if address else [])]
    end(findings, line, shown(line, root), root, dry)
