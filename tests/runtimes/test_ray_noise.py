"""Messages of Ray itself: they stay in its logs."""

import inspect

import pytest
import ray._private.worker as driver

from trivium.runtimes.ray_noise import keep_in_the_logs


def test_what_a_raylet_reports_does_not_reach_the_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "print_to_stdstream", driver.print_to_stdstream)  # put back afterwards
    # The thread that listens for such reports looks the function up by this name, at each report.
    assert "print_to_stdstream(" in inspect.getsource(driver.listen_error_messages)
    keep_in_the_logs()
    report = {"lines": ["A worker died or was killed (infinite retries remaining)"], "pid": "raylet", "is_err": False}
    driver.print_to_stdstream(report, ignore_prefix=False)
    assert capfd.readouterr() == ("", "")
