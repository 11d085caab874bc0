"""A run as a Ray job: the line that submits it, and the variables that the job will have."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from trivium.config.model.streaming import Streaming
from trivium.config.paths import project_root
from trivium.config.yaml.load import load
from trivium.operations.errors import ArgumentError

STOP_WAIT: Final = "RAY_JOB_STOP_WAIT_TIME_S"
RUNTIME_ENV: Final = "jobs/runtime_env.yaml"
_KEEP_MEMORY: Final = {"MIMALLOC_PURGE_DELAY": "10000"}
_MARGIN_SECONDS: Final = 30

JobRuntime = Literal["batch", "streaming"]


def stop_seconds(drain_seconds: float) -> int:
    """Return how long a stop must wait before it kills: the drain, and what ending Ray takes after it."""
    return math.ceil(drain_seconds) + _MARGIN_SECONDS


@dataclass(frozen=True)
class Submission:
    """A run of a project on a cluster.

    `config` is relative to `root`; `arguments` are those of `trivium run`; `variables` are set for the job;
    `drain_seconds` is the time a stream takes to stop. `environment` is a file of the project, relative to it, None
    where it has none.
    """

    root: Path
    config: str
    runtime: JobRuntime
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    drain_seconds: float = 0.0
    environment: str | None = None

    def line(self, address: str | None, wait: bool) -> list[str]:
        """Return the command of Ray that submits the job, to be run in the project's folder."""
        where = ["--address", address] if address else []
        if self.environment:
            environment = ["--runtime-env", self.environment]
        else:
            environment = ["--runtime-env-json", json.dumps({"env_vars": self.environment_variables()})]
        go_on = [] if wait else ["--no-wait"]
        return ["ray", "job", "submit", *where, "--working-dir", ".", *environment, *go_on, "--", *self.entrypoint()]

    def entrypoint(self) -> list[str]:
        """Return the command that the cluster runs in the project's folder."""
        variables = [f"{name}={value}" for name, value in sorted(self.variables.items())]
        script = f"jobs/run_{self.runtime}.py"
        own = ["python", script] if (self.root / script).is_file() else _module(self.runtime)
        return [*(["env", *variables] if variables else []), *own, self.config, *self.arguments]

    def environment_variables(self) -> dict[str, str]:
        """Return the variables of the job's runtime environment: those of the project's file, else the usual ones.

        Raises:
            ArgumentError: the project's file is no runtime environment.
        """
        if self.environment:
            return _variables_of(self.root / self.environment)
        return {**_KEEP_MEMORY, STOP_WAIT: str(stop_seconds(self.drain_seconds))}

    def variables_there(self) -> dict[str, str]:
        """Return all variables that are known to be set for the job; those of the cluster's own nodes are not."""
        return {**self.environment_variables(), **self.variables}


def _module(runtime: str) -> list[str]:
    return ["python", "-m", "trivium.cli.main", "run", runtime]


def _variables_of(file: Path) -> dict[str, str]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArgumentError(f"expected a runtime environment in {file}, got: {error}") from error
    found: Any = content.get("env_vars", {}) if isinstance(content, dict) else None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ArgumentError(f"expected env_vars in {file} to map names to texts. Try: quote its numbers")
    return {str(name): value for name, value in found.items()}


def shown(line: Sequence[str], folder: Path) -> str:
    """Return a command as a person would paste it, in the folder where it must be called."""
    text = shlex.join(line)
    return text if folder == Path.cwd().resolve() else f"(cd {shlex.quote(str(folder))} && {text})"


def submission_of(
    runtime: JobRuntime, config: Path, arguments: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Submission:
    """Return the job of a pipeline file in its project.

    Raises:
        ArgumentError: the file is in no project.
        ConfigError: it cannot be read.
    """
    root = project_root(config)
    if root is None:
        raise ArgumentError(f"expected {config} below a folder that holds executors/. Try: trivium new project NAME")
    return Submission(
        root=root,
        config=config.resolve().relative_to(root).as_posix(),
        runtime=runtime,
        arguments=tuple(arguments),
        variables=variables or {},
        drain_seconds=_drain_seconds(config) if runtime == "streaming" else 0.0,
        environment=RUNTIME_ENV if (root / RUNTIME_ENV).is_file() else None,
    )


def _drain_seconds(config: Path) -> float:
    section = load(config, os.environ).value.get("streaming")
    written = section.get("drain_seconds") if isinstance(section, dict) else None
    default = Streaming.model_fields["drain_seconds"].default
    return float(written if isinstance(written, int | float) else default)
