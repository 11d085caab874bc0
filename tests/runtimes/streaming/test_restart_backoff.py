"""A worker that does not start is started again, later and later, and given up by time."""

from trivium.runtimes.streaming.restart_backoff import Openings


def test_three_refusals_in_a_moment_do_not_end_a_run() -> None:
    openings = Openings()
    assert [openings.fail(at) for at in (0.1, 0.2, 0.3)] == [True, True, True]


def test_each_try_waits_longer() -> None:
    openings, now, waits = Openings(), 100.0, []
    assert openings.due(now)
    for _ in range(6):
        assert openings.fail(now)
        wait = next(tenths / 10 for tenths in range(1000) if openings.due(now + tenths / 10))
        waits.append(wait)
        now += wait
    assert waits == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_a_worker_that_never_starts_is_given_up() -> None:
    openings, now = Openings(), 0.0
    while openings.fail(now):
        now += 16.0
    assert 60.0 < now < 120.0


def test_failures_before_a_success_do_not_count() -> None:
    openings = Openings()
    openings.fail(0.0)
    openings.succeed()
    assert openings.due(0.1)
    assert openings.fail(10_000.0)
