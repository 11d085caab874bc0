"""A pipeline as an application of Ray Serve: the configuration that `serve deploy` and a RayService take."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from trivium.config.compile import compile_file
from trivium.config.paths import Relative, project_root
from trivium.config.pipeline import Pipeline
from trivium.config.problems import ConfigError
from trivium.operations.errors import ArgumentError
from trivium.operations.shipping.finding import Finding
from trivium.operations.shipping.preflight import assumed, look_at_variables, problem_found, secrets_in_sight

PORT: Final = 8000
_REMOTE: Final = ("https", "s3", "gs")
_OWN_LOOP: Final = {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0"}


@dataclass(frozen=True)
class Code:
    """The places from which a cluster takes the project and packages; none where its image holds them."""

    working_dir: str | None = None
    py_modules: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def runtime_env(self) -> dict[str, Any]:
        """Return it as a runtime environment of Ray."""
        found: dict[str, Any] = {"env_vars": {**_OWN_LOOP, **self.variables}}
        if self.working_dir:
            found["working_dir"] = self.working_dir
        if self.py_modules:
            found["py_modules"] = list(self.py_modules)
        return found


def service_config(pipeline: Pipeline, config: str, code: Code) -> dict[str, Any]:
    """Return the configuration of Serve that answers for a pipeline, whose file is `config` on the replicas."""
    # Without a working folder only what is installed can be imported there.
    own = code.working_dir is not None and (pipeline.root / "serve" / "app.py").is_file()
    application = {
        "name": pipeline.name,
        "route_prefix": pipeline.serving_section().route,
        "import_path": "serve.app:app" if own else "trivium.runtimes.serving.application:build",
        "args": {"config": config},
        "runtime_env": code.runtime_env(),
    }
    return {"http_options": {"host": "0.0.0.0", "port": PORT}, "applications": [application]}


def look_at_service(
    config: Path, code: Code, here: Mapping[str, str] = os.environ
) -> tuple[list[Finding], Pipeline | None]:
    """Look at what a service takes along; return the pipeline, too, unless its file has problems."""
    findings = [*_places(code), *look_at_variables(config, code.variables, here)]
    try:
        pipeline = compile_file(config, assumed(config, code.variables, here), "serving", Relative.REFUSED)
    except ConfigError as error:
        return [*findings, *map(problem_found, error.problems)], None
    return [*findings, *secrets_in_sight(code.variables, pipeline)], pipeline


def write_config(config: Path, content: Mapping[str, Any]) -> Path:
    """Write the configuration of a pipeline's service below `.trivium/` of its project; return the file.

    Raises:
        ArgumentError: the pipeline file is in no project.
    """
    root = project_root(config)
    if root is None:
        raise ArgumentError(f"expected {config} below a folder that holds executors/. Try: trivium new project NAME")
    file = root / ".trivium" / "serve" / f"{config.stem}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
    return file


def _places(code: Code) -> list[Finding]:
    found = []
    for option, place in [("--working-dir", code.working_dir), *(("--py-module", each) for each in code.py_modules)]:
        if place and urlsplit(place).scheme not in _REMOTE:
            expected = "https://, s3:// or gs:// of a zip: Serve takes no local folder"
            attempt = "git archive --prefix=project/ -o project.zip HEAD, put where the cluster can read it"
            found.append(Finding("code", "error", place, option, expected, attempt))
    return found
