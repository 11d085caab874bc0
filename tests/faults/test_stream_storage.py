"""Storage that tears, empties or refuses: it is said clearly, nothing is lost, and the stream goes on afterwards."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.processes import stopped, until, wake
from tests.support.stream_project import StreamProject

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_the_newest_log_entry_is_empty_or_torn(project: StreamProject, keep: float) -> None:
    """As a power cut may leave it: that commit is gone whole, its records are read again."""
    project.produce(project.ticks(1_500, fickle=0.3))
    project.catch_up_well()
    newest = Path(project.table, "_delta_log", f"{project.version():020}.json")
    content = newest.read_bytes()
    newest.write_bytes(content[: int(len(content) * keep)])
    project.write_weights(range(5))
    project.produce(project.ticks(500, fickle=0.3))
    outcome = project.catch_up()
    assert outcome.code == 0, outcome.said
    assert "moved aside" in outcome.said
    assert outcome.report["read"] > 500, "the records of the lost commit were not read again"
    assert project.audit().half_done


@pytest.fixture
def small_disk(project: StreamProject) -> Iterator[Path]:
    """The project's tables are on a file system of four megabytes; returns a file that can fill it."""
    folder = project.root / "tables"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    try:
        yield folder / "filler"
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(filler: Path) -> None:
    """Leave no room on the disk."""
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            with suppress(OSError):
                while file.write(os.urandom(size)):
                    pass


def test_a_full_disk_stops_the_stream_and_loses_nothing(project: StreamProject, small_disk: Path) -> None:
    project.produce(project.ticks(500, fickle=0.3))
    project.catch_up_well()
    driver = project.start()
    project.wait_for_version(project.version() + 1, driver)
    fill(small_disk)
    project.produce(project.ticks(1_000, fickle=0.3))
    outcome = project.finish(driver)
    assert outcome.code == 1
    assert "No space left on device" in outcome.said, outcome.said
    assert "Traceback" not in outcome.said
    small_disk.unlink()
    project.catch_up_well()
    project.audit()


def test_a_disk_full_at_the_commit_is_waited_for(project: StreamProject, small_disk: Path) -> None:
    project.produce(project.ticks(1_000, fickle=0.3))
    driver = project.start(TRIVIUM_FAULT_POINT="table.before_commit:stop")
    until(lambda: stopped(driver.pid), "the driver has come to its commit")
    time.sleep(3)  # until the worker has written what it reads ahead: a full disk stops it
    fill(small_disk)
    before = project.version()
    wake(driver.pid)
    time.sleep(5)
    assert project.version() == before, "a commit found room on a full disk"
    small_disk.unlink()
    project.wait_for_version(before + 1, driver)
    project.produce(project.ticks(500, fickle=0.3))
    project.wait_for_version(before + 2, driver)
    driver.send_signal(signal.SIGTERM)
    outcome = project.finish(driver)
    assert outcome.code == 0, outcome.said
    project.catch_up_well()
    project.audit()
