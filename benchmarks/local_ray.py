"""One Ray for a contender: its own, never another that happens to run on the machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray

from benchmarks.peers import WORKERS


@contextmanager
def local_ray(environment: Mapping[str, str]) -> Iterator[None]:
    """A Ray of as many CPUs as every contender has, whose workers have these variables and this search path."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options: dict[str, Any] = {"include_dashboard": False, "logging_level": logging.WARNING, "log_to_driver": False}
    ray.init(address="local", num_cpus=WORKERS, runtime_env={"env_vars": dict(environment)}, **options)
    try:
        yield
    finally:
        ray.shutdown()
