"""SIGTERM drains and commits; whatever cuts the drain short is as correct."""

import signal
import subprocess
import threading
import time

import pytest

from tests.support.stream_project import StreamProject, kill

pytestmark = pytest.mark.faults


def test_sigterm_while_records_flow_drains_and_ends_well(project: StreamProject) -> None:
    driver = project.start()
    done = threading.Event()

    def flow() -> None:
        while not done.is_set():
            project.produce(project.ticks(200, fickle=0.2))

    producer = threading.Thread(target=flow)
    producer.start()
    project.wait_for_version(6, driver)
    asked = time.monotonic()
    driver.send_signal(signal.SIGTERM)
    outcome = project.finish(driver)
    seconds = time.monotonic() - asked
    done.set()
    producer.join()
    assert outcome.code == 0, outcome.said
    assert outcome.report["read"] > 0
    assert seconds < project.drain + 10, f"the drain took {seconds:.1f} s"
    project.catch_up_well()
    project.audit()


def test_sigterm_while_idle(project: StreamProject) -> None:
    project.produce(project.ticks(300, fickle=0.3))
    driver = project.start()
    project.wait_for_version(3, driver)
    time.sleep(2)
    asked = time.monotonic()
    driver.send_signal(signal.SIGTERM)
    outcome = project.finish(driver)
    assert outcome.code == 0, outcome.said
    assert outcome.report["read"] == 300
    assert time.monotonic() - asked < 10
    project.audit()


def test_sigterm_twice_ends_it_as_it_stands(project: StreamProject) -> None:
    driver = slow_driver(project)
    driver.send_signal(signal.SIGTERM)
    time.sleep(1)
    asked = time.monotonic()
    driver.send_signal(signal.SIGTERM)
    outcome = project.finish(driver)
    assert outcome.code != 0
    assert time.monotonic() - asked < 10
    project.catch_up_well()
    project.audit()


def test_killed_three_seconds_after_sigterm(project: StreamProject) -> None:
    driver = slow_driver(project)
    driver.send_signal(signal.SIGTERM)
    time.sleep(3)
    assert driver.poll() is None, "the drain was over before the kill"
    kill(driver)
    project.catch_up_well()
    project.audit()


def slow_driver(project: StreamProject) -> subprocess.Popen[str]:
    """A driver at work on a batch that takes some six seconds."""
    driver = project.start()
    project.produce(project.ticks(300, fickle=0.3))
    project.wait_for_version(3, driver)
    project.produce(project.ticks(100, dict.fromkeys(range(90), "slow"), fickle=0.3))
    time.sleep(1.5)
    return driver
