"""`trivium manifests`: a pipeline's runtimes as resources of KubeRay."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trivium.cli.shipping.submit import show_findings, variables

if TYPE_CHECKING:
    from trivium.operations.shipping.manifests import Shipping


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--image", required=True, help="Image with trivium and the project.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.")
@variables
@click.option("--secret", default="", help="Kubernetes secret of all other variables.  [default: NAME-variables]")
@click.option("--project", default="/srv/project", show_default=True, help="The project's folder in the image.")
@click.option("--cpus", type=click.IntRange(1), default=2, show_default=True, help="CPUs of a pod.")
@click.option("--memory", default="4Gi", show_default=True, help="Memory of a pod.")
@click.option("--schedule", metavar="CRON", help="Run batch by this schedule, as a RayCronJob, in UTC.")
def manifests(config: Path, out: Path, given: dict[str, str], **settings: Any) -> None:
    """Write a RayJob, RayCronJob or RayService for each runtime that the pipeline file has.

    Variables given by --env are written into them; each other that the file names is a key of the secret.
    """
    from trivium.operations.shipping.manifests import Shipping

    _write(config, out, Shipping(variables=given, **settings))


def _write(config: Path, out: Path, settings: Shipping) -> None:
    from trivium.config.compile import compile_file
    from trivium.config.paths import Relative
    from trivium.config.variables import named_variables
    from trivium.operations.shipping.manifests import as_yaml
    from trivium.operations.shipping.manifests import manifests as rendered
    from trivium.operations.shipping.preflight import secrets_in_sight

    named = named_variables(config)
    # What a secret holds is not known here; a file compiles with any value that is a path and long enough for a key.
    stand_ins = {name: f"/value-of-the-secret/{name}" for name, default in named.items() if default is None}
    known = {name: os.environ[name] for name in stand_ins if name in os.environ}
    pipeline = compile_file(config, {**stand_ins, **known, **settings.variables}, None, Relative.REFUSED)
    findings = list(secrets_in_sight(settings.variables, pipeline))
    if findings:
        show_findings(findings)
        raise click.exceptions.Exit(1)
    out.mkdir(parents=True, exist_ok=True)
    for name, manifest in rendered(pipeline, named, settings).items():
        (out / name).write_text(as_yaml(manifest), encoding="utf-8")
        click.echo(out / name)
