"""The application that `serve/app.py` hands to Serve: a pipeline file's, built here or on a cluster."""

import os
from typing import Annotated

import ray
from pydantic import BaseModel, ConfigDict, Field
from ray import serve

from trivium.config.compile import compile_file
from trivium.config.paths import Relative
from trivium.runtimes.serving.deployment import application


class ServingArgs(BaseModel):
    """`config`: the pipeline file, relative to the working folder. `replicas`: instead of the file's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: str
    replicas: Annotated[int, Field(ge=1, le=1000)] | None = None


def build(args: ServingArgs) -> serve.Application:
    """Make the application of a pipeline file.

    Serve calls it in the process of `serve run` and `serve build`; for `serve deploy`, in a task on the cluster, where
    a path relative to the file means nothing.

    Raises:
        ConfigError: with all problems of the file.
    """
    relative = Relative.REFUSED if _in_task() else None
    return application(compile_file(args.config, os.environ, "serving", relative), args.replicas)


def _in_task() -> bool:
    return bool(ray.is_initialized() and ray.get_runtime_context().get_task_name())
