"""The Ray cluster a run uses: the one it is in, the one it is told, or one of its own for as long as it lasts."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

import trivium
from trivium.config.paths import in_ray_job


@contextmanager
def connected(address: str | None, cpus: int) -> Iterator[None]:
    """Be connected to Ray. A cluster started here has `cpus` CPUs and ends here; any other is left as it was."""
    if ray.is_initialized():
        yield
        return
    # Ray's coming default, and without it a warning a start; workers of ours use no accelerator.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)  # it announces its default at each start
    ray.init(logging_level=logging.WARNING, log_to_driver=False, **_options(address, cpus))
    try:
        yield
    finally:
        ray.shutdown()


def _options(address: str | None, cpus: int) -> dict[str, Any]:
    package = Path(trivium.__file__).parent
    known = address or os.environ.get("RAY_ADDRESS")
    if known is None:
        search = os.pathsep.join([str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {
            "address": "local",
            "num_cpus": cpus,
            "include_dashboard": False,
            "runtime_env": {"env_vars": {"PYTHONPATH": search}},
        }
    if in_ray_job(os.environ):
        return {"address": known}
    return {"address": known, "runtime_env": {"py_modules": [str(package)]}}
