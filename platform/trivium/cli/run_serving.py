"""`trivium run serving`: a pipeline behind HTTP."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trivium.cli.terminal.tables import facts

if TYPE_CHECKING:
    from trivium.config.pipeline import Pipeline
    from trivium.runtimes.serving.run import Service


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option(
    "--proxy",
    type=click.Choice(["haproxy", "plain"]),
    default="haproxy",
    show_default=True,
    help="plain: Serve's own, much slower; for where HAProxy does not run.",
)
@click.option("--replicas", type=click.IntRange(1, 1000), help="Instead of the file's.")
@click.option("--address", help="Put the service into this Ray cluster and leave it there; default: RAY_ADDRESS.")
def serving(config: Path, **given: Any) -> None:
    """Answer events over HTTP with the rows they become.

    SIGTERM and Ctrl-C drain: what is under way is answered.
    """
    from trivium.config.compile import compile_file
    from trivium.runtimes.logs import log_json_lines, log_sentences
    from trivium.runtimes.serving.run import ServingArguments, run_serving

    if sys.stderr.isatty():
        log_sentences()
    else:
        log_json_lines()
    pipeline = compile_file(config, runtime="serving")
    run_serving(pipeline, ServingArguments(**given), lambda service: _show(service, pipeline, config))


def _show(service: Service, pipeline: Pipeline, config: Path) -> None:
    # A cluster that Ray starts for us asks for its token; another process sends it only when told to.
    mode = os.environ.get("RAY_AUTH_MODE")
    variable = f"RAY_AUTH_MODE={mode} " if mode else ""
    redeploy = f"{variable}trivium run serving {shlex.quote(str(config))} --address {service.cluster}"
    facts(
        [
            ("serving", service.url),
            ("docs", f"{service.url}/docs"),
            ("plan", pipeline.plan.plan_short),
            ("redeploy", redeploy),
            ("try", _curl(service, pipeline)),
        ]
    )
    sys.stdout.flush()


def _curl(service: Service, pipeline: Pipeline) -> str:
    from trivium.runtimes.serving.http.openapi import examples

    found = next(((name, made) for name, bound in pipeline.executors.items() if (made := examples(bound))), None)
    if found is None:
        return f"curl {service.url}/openapi.json"
    import json

    key = "-H 'authorization: Bearer KEY' " if service.protected else ""
    body = shlex.quote(json.dumps(found[1][0], ensure_ascii=False))
    return f"curl -H 'content-type: application/json' {key}{service.url}/v1/events/{found[0]} -d {body}"
