"""A broker that restarts, hangs, crashes and stays away: the stream waits and goes on; nothing is lost with it."""

import signal
import subprocess
import time

import pytest

from tests.support.stream_project import StreamProject

pytestmark = pytest.mark.faults


@pytest.mark.timeout(400)
def test_a_broker_that_comes_and_goes(project: StreamProject) -> None:
    """Restarted in order, stopped for eight seconds, killed and away for thirty: one driver lives through it all."""
    broker, driver = project.broker, project.start()
    project.produce(project.ticks(1_000, fickle=0.3))
    project.wait_for_version(3, driver)

    broker.stop()
    broker.start()
    flow_on(project, driver)

    broker.pause()
    time.sleep(8)
    broker.resume()
    flow_on(project, driver)

    broker.kill()
    time.sleep(30)
    assert driver.poll() is None, "the driver ended while the broker was away"
    broker.start()
    flow_on(project, driver)

    driver.send_signal(signal.SIGTERM)
    outcome = project.finish(driver)
    assert outcome.code == 0, outcome.said
    project.catch_up_well()
    project.audit()


def test_a_stop_while_the_broker_is_away(project: StreamProject) -> None:
    broker, driver = project.broker, project.start()
    project.produce(project.ticks(1_000, fickle=0.3))
    project.wait_for_version(3, driver)
    broker.kill()
    try:
        time.sleep(3)
        asked = time.monotonic()
        driver.send_signal(signal.SIGTERM)
        outcome = project.finish(driver)
        assert time.monotonic() - asked < project.drain + 10
        assert outcome.code == 0, outcome.said
        away = project.catch_up()
        assert away.code == 1
        assert "KafkaUnavailableError" in away.said
        assert "Traceback" not in away.said
    finally:
        broker.start()
    project.catch_up_well()
    project.audit()


def flow_on(project: StreamProject, driver: subprocess.Popen[str]) -> None:
    """Produce, and wait until some of it is committed."""
    before = project.version()
    project.produce(project.ticks(500, fickle=0.3))
    project.wait_for_version(before + 1, driver)
