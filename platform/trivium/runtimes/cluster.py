"""The Ray cluster a run uses: the one it is in, one at an address, or one of its own for as long as it lasts."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import ray

import trivium
from trivium.config.paths import in_ray_job
from trivium.core.environment import variables
from trivium.core.errors import RunError
from trivium.runtimes import ray_noise, steps

# Arrow's allocator gives freed pages back after 10 ms, and each batch faults them in again: a tenth of a unit's time.
KEEP_MEMORY: Final = {"MIMALLOC_PURGE_DELAY": "10000"}


def worker_environment() -> dict[str, str]:
    """Return variables for the workers of a cluster of our own: they find this package, and Arrow keeps its memory."""
    search = [str(Path(trivium.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(search), **KEEP_MEMORY}


class StoppedAtStart(RunError):
    """SIGTERM came while Ray started: nothing has begun, so there is nothing to drain."""


@contextmanager
def connected(address: str | None, cpus: int) -> Iterator[None]:
    """Be connected to Ray. A cluster started here has `cpus` CPUs and ends here; any other is left as it was.

    Raises:
        StoppedAtStart: this process had to stop before it was connected.
        RunError: there is no Ray at the address, or none could be started.
    """
    if ray.is_initialized():
        yield
        return
    # Ray's coming default, and without it a warning a start; workers of ours use no accelerator.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)  # it announces its default at each start
    options = _options(address, cpus)
    own = options["address"] == "local"
    steps.begin(f"starting Ray with {cpus} CPUs" if own else f"connecting to Ray at {options['address']}")
    ray_noise.keep_in_the_logs()
    try:
        # Ray's processes hand these to the workers. As a runtime environment they would fit none of the workers that
        # Ray starts ahead, and each actor would wait for another process.
        with variables(worker_environment() if own else {}):
            ray.init(logging_level=logging.WARNING, log_to_driver=False, **options)
    except SystemExit as error:  # Ray's own answer to SIGTERM, from the first line of its start on
        ray.shutdown()
        raise StoppedAtStart("asked to stop while Ray started; no event was read") from error
    except (OSError, ValueError, RuntimeError) as error:  # Ray's own kinds for what it cannot reach or start
        raise RunError(_refusal(options["address"], error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def _refusal(address: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).split("\n", 1)[0].rstrip(".")
    if address == "local":
        return f"Ray did not start on this machine: {reason}. Try: free memory and shared memory, then run again"
    return (
        f"expected a Ray cluster at {address}, got: {reason}. Try: HOST:PORT of its GCS (6379 by default) or "
        "ray://HOST:10001, given by --address or RAY_ADDRESS; without either a run starts a Ray of its own"
    )


def _options(address: str | None, cpus: int) -> dict[str, Any]:
    package = Path(trivium.__file__).parent
    known = address or os.environ.get("RAY_ADDRESS")
    if known is None:
        return {"address": "local", "num_cpus": cpus, "include_dashboard": False}
    if in_ray_job(os.environ):
        return {"address": known}
    return {"address": known, "runtime_env": {"py_modules": [str(package)], "env_vars": KEEP_MEMORY}}
