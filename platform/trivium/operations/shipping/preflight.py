"""A preflight of a job: what would stop it on the cluster, found before anything is uploaded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from trivium.analysis.source_digest import project_files
from trivium.config.compile import compile_file
from trivium.config.model.remote_lookups import Tls
from trivium.config.model.streaming import KAFKA_FILES
from trivium.config.paths import Relative
from trivium.config.pipeline import Pipeline
from trivium.config.problems import ConfigError, Problem
from trivium.config.variables import named_variables
from trivium.operations.shipping.finding import Finding
from trivium.operations.shipping.submission import RUNTIME_ENV, STOP_WAIT, Submission, stop_seconds
from trivium.runtimes.upload import Upload, upload_of

_MIB: Final = 1 << 20
_SHOWN: Final = 3
UNSET: Final = "unset-variable"


def look_at_job(job: Submission, here: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at the upload, the pipeline file and the variables of a job; `here` are this process's variables.

    A variable that must be set, and is set here alone, is taken to have the same value on the cluster.
    """
    upload, there = upload_of(job.root), job.variables_there()
    config = job.root / job.config
    findings = [_size(job.root, upload), *look_at_variables(config, there, here)]
    needed = {job.config, *([job.environment] if job.environment else [])}
    try:
        pipeline = compile_file(config, assumed(config, there, here), job.runtime, Relative.REFUSED)
    except ConfigError as error:
        findings += [problem_found(each) for each in error.problems if each.code != UNSET]
    else:
        findings += secrets_in_sight(job.variables, pipeline)
        needed |= needed_files(pipeline)
    return [*findings, *_left_out(job.root, upload, needed), *_stop(job, there)]


def assumed(config: Path, there: Mapping[str, str], here: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a job, with those that must be set and are set here alone."""
    required = [name for name, default in named_variables(config).items() if default is None]
    return {**{name: here[name] for name in required if name in here}, **there}


def needed_files(pipeline: Pipeline) -> set[str]:
    """Return the files of the project that a pipeline reads on a worker, relative to the project."""
    config = pipeline.config
    needed = {pipeline.config_file, *(place.rpartition(":")[0] for place in pipeline.listed.values())}
    needed |= {file for entry in config.executors for file in entry.artifacts.values()}
    security = [config.streaming.source.security] if config.streaming else []
    tls = [each for lookup in config.lookups.values() if isinstance(each := getattr(lookup, "tls", None), Tls)]
    needed |= {file for each in (*security, *tls) for name in KAFKA_FILES if (file := getattr(each, name))}
    for logic in json.loads(pipeline.plan.json)["logic"]["executors"].values():
        for module in logic["source"]["modules"]:
            needed |= {file.relative_to(pipeline.root).as_posix() for _, file in project_files(module, pipeline.root)}
    return {file for file in needed if not os.path.isabs(file)}


def look_at_variables(config: Path, there: Mapping[str, str], here: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is not clear of the variables that a pipeline file names: set here, and not for the cluster."""
    for name, default in named_variables(config).items():
        if name in there:
            continue
        attempt = f"--env {name}=…, or env_vars of {RUNTIME_ENV}"
        if default is None:
            got = "nothing in what the job brings along"
            way = f"{attempt}; a secret: in the environment of the cluster's nodes"
            yield Finding("variable", "warning", got, f"${{{name}}}", "a value on the cluster", way)
        elif name in here:
            got = f"its default {default!r} there: variables of this shell do not travel"
            yield Finding("variable", "warning", got, f"${{{name}}}", "the value that is set here", attempt)


def secrets_in_sight(given: Mapping[str, str], pipeline: Pipeline) -> Iterator[Finding]:
    """Yield the variables that are given for everyone to read and that the pipeline file takes for secrets."""
    for name in sorted(set(given) & set(pipeline.secrets)):
        expected = "secrets in the environment of the cluster's nodes"
        got = f"{name} in what is submitted, which everyone reads who sees the dashboard"
        yield Finding(
            "secret", "error", got, f"--env {name}", expected, "a Kubernetes secret, or the nodes' environment"
        )


def _size(root: Path, upload: Upload) -> Finding:
    amount = f"{upload.size / _MIB:.1f} MiB in {len(upload.files):,} files"
    if upload.size < upload.limit:
        return Finding("upload", "ok", f"{amount} of {upload.limit // _MIB} MiB", str(root))
    largest = ", ".join(f"{path} {size / _MIB:.1f} MiB" for path, size in upload.largest(_SHOWN))
    expected = f"less than {upload.limit // _MIB} MiB, Ray's limit"
    attempt = f"name what the job does not need in .rayignore; largest: {largest}"
    return Finding("upload", "error", amount, str(root), expected, attempt)


def _left_out(root: Path, upload: Upload, needed: set[str]) -> Iterator[Finding]:
    for file in sorted(needed):
        if (root / file).is_file() and file not in upload.files:
            expected = f"{file} in the upload: the pipeline needs it"
            attempt = f"a line !/{file} in the ignore file, or a narrower pattern"
            yield Finding("left out", "error", "a file that .gitignore or .rayignore names", file, expected, attempt)


def problem_found(problem: Problem) -> Finding:
    """Return a problem of a pipeline file as a finding."""
    place = f"{problem.file}:{problem.line}:{problem.column}"
    expected = "a file that compiles for the cluster"
    return Finding("pipeline", "error", problem.message, place, expected, problem.hint)


def _stop(job: Submission, there: Mapping[str, str]) -> Iterator[Finding]:
    if job.runtime != "streaming":
        return
    needed, given = stop_seconds(job.drain_seconds), there.get(STOP_WAIT, "3")
    if STOP_WAIT not in job.environment_variables() or not given.isdigit() or int(given) < needed:
        expected = f"{STOP_WAIT} of {needed} or more: a stop drains for {job.drain_seconds:g} s"
        where = job.environment or "the runtime environment"
        yield Finding("stop", "warning", given, where, expected, f'{STOP_WAIT}: "{needed}" under env_vars')
