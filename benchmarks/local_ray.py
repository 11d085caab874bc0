"""One Ray for a contender: its own, never another that happens to run on the machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from benchmarks.peers import WORKERS


@contextmanager
def local_ray() -> Iterator[None]:
    """A Ray of as many CPUs as every contender has; its workers inherit this process's search path."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(
        address="local", num_cpus=WORKERS, include_dashboard=False, logging_level=logging.WARNING, log_to_driver=False
    )
    try:
        yield
    finally:
        ray.shutdown()
