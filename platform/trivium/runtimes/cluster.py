"""The Ray cluster a run uses: the one it is in, the one it is told, or one of its own for as long as it lasts."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray


@contextmanager
def connected(address: str | None, cpus: int) -> Iterator[None]:
    """Be connected to Ray. A cluster started here has `cpus` CPUs and ends here; any other is left as it was."""
    if ray.is_initialized():
        yield
        return
    known = address or os.environ.get("RAY_ADDRESS")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options: dict[str, Any] = {"address": known} if known else {"num_cpus": cpus, "include_dashboard": False}
    ray.init(logging_level=logging.WARNING, log_to_driver=False, **options)
    try:
        yield
    finally:
        ray.shutdown()
