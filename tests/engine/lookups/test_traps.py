"""Traps that clients of other systems fell into; each test names the thread that tells of it."""

from __future__ import annotations

import pytest

from tests.support.lookup_desk import Desk, facts
from tests.support.remote_lookup import SHARED
from trivium.contract.enrichment import Hint
from trivium.contract.lookup_settings import CacheSettings, LookupBreaker
from trivium.contract.retry import RetryPolicy

AWAY = [("UNAVAILABLE", None)]
NO_BREAKER = LookupBreaker(window_calls=1000)
QUICK = LookupBreaker(window_calls=4, open_seconds=10.0, probes=2)


def opened(desk: Desk) -> Desk:
    """Fail calls until the breaker opens."""
    for key in range(4):
        desk.ask([1000 + key])
        desk.fail()
    assert desk.breaker == "open"
    return desk


def reopening(desk: Desk) -> float:
    """Return the seconds until a probe may go."""
    start = desk.now
    while desk.breaker == "open":
        desk.advance(0.1)
    return desk.now - start


def test_a_failure_is_not_kept_like_a_value() -> None:
    """chronon#806, chronon#932: an error was cached for two hours."""
    desk = Desk()
    first = desk.ask([1])
    desk.fail()
    assert facts(first) == AWAY
    again = desk.ask([1])
    assert desk.carried == [[1]]
    desk.answer()
    assert facts(again) == [("HIT", 10)]


def test_retries_are_visible_to_rate_breaker_and_the_wait_that_a_lookup_demands() -> None:
    """beam#31941: retries inside the client hid 429 from the throttle, which never triggered."""
    desk = Desk(retry=RetryPolicy(attempts=3, first_delay_seconds=0.1), calls_per_second=2.0, breaker=NO_BREAKER)
    desk.ask([1])
    desk.fail(retry_after=7.0)
    desk.ask([2])
    desk.advance(6.9)
    assert desk.begun == [0.0]
    desk.advance(3.0)
    assert [at >= 7.0 for at in desk.begun] == [False, True, True]
    assert desk.begun[2] - desk.begun[1] >= 0.5
    assert desk.scheduler.metrics.calls == 3
    assert desk.scheduler.metrics.retries == 1


@pytest.mark.parametrize(("absent_seconds", "calls"), [(30.0, 1), (0.0, 2)])
def test_absence_has_an_age_of_its_own(absent_seconds: float, calls: int) -> None:
    """FLINK-28899 (flink#20531): empty results were cached like rows, so that a miss was never asked again."""
    desk = Desk(cache=CacheSettings(seconds=300.0, absent_seconds=absent_seconds))
    desk.ask([-1, 1])
    desk.answer()
    desk.ask([-1])
    assert len(desk.begun) == calls
    while desk.running:
        desk.answer()
    desk.advance(31.0)
    desk.ask([1])
    assert len(desk.begun) == calls
    desk.ask([-1])
    assert desk.carried == [[-1]]


def test_a_time_out_leaves_the_queue() -> None:
    """getindata/flink-http-connector#38 and #39: requests that timed out filled the queue until all stopped."""
    desk = Desk(concurrency=2, breaker=NO_BREAKER, max_keys=1)
    asks = [desk.ask([key], limit=1.0) for key in range(500)]
    assert desk.scheduler.read(desk.now).waiting == 498
    desk.advance(1.0)
    assert [facts(ask) for ask in asks] == [AWAY] * 500
    assert desk.scheduler.read(desk.now).waiting == 0
    desk.answer()
    last = desk.ask([7], limit=1.0)
    desk.answer(-1)
    assert facts(last) == [("HIT", 70)]


def test_a_time_out_holds_while_waiting_for_a_slot() -> None:
    """StreamFusion#193: the time-out held only once a slot was had."""
    desk = Desk(concurrency=1, timeout_seconds=2.0, breaker=NO_BREAKER, max_keys=1)
    desk.ask([1], limit=60.0)
    waiting = desk.ask([2], limit=60.0)
    desk.advance(1.5)
    desk.answer()
    assert desk.carried == [[2]]
    desk.advance(0.5)
    assert facts(waiting) == AWAY


def test_a_half_open_breaker_lets_one_probe_through() -> None:
    """smallrye#323: half-open let everybody through."""
    desk = opened(Desk(breaker=QUICK))
    reopening(desk)
    asks = [desk.ask([key], limit=5.0) for key in range(50)]
    assert desk.carried == [[0]]
    assert [ask.ended for ask in asks] == [False] + [True] * 49
    desk.answer()
    desk.ask([60], limit=5.0)
    assert (desk.breaker, desk.carried) == ("half_open", [[60]])
    desk.answer()
    assert desk.breaker == "closed"


def test_an_outage_does_not_multiply_calls() -> None:
    """safe-client-gateway#3442: a failing back-end got seventeen times its usual calls."""
    desk = Desk(breaker=QUICK, retry=RetryPolicy(attempts=4, first_delay_seconds=0.1))
    for key in range(2000):
        desk.ask([key], limit=2.0)
        while desk.running:
            desk.fail()
        desk.advance(0.05)
    assert len(desk.begun) <= 4 + 2000 * 0.05 / 10 + 2


def test_processes_do_not_probe_together() -> None:
    """circuitbreaker-lambda#7: many processes, and all probe at the same moment."""
    waits = {round(reopening(opened(Desk(seed, breaker=QUICK))), 1) for seed in range(20)}
    assert len(waits) >= 10
    assert all(10.0 <= wait <= 15.1 for wait in waits)


def test_a_flapping_lookup_gets_few_calls() -> None:
    """Yuzu#3018: the breaker opened and closed all the time, each time with a burst of calls."""
    desk = Desk(breaker=QUICK, concurrency=8, max_keys=1)
    most = 0
    for second in range(600):
        for key in range(20):
            desk.ask([second * 100 + key], limit=0.5)
        most = max(most, len(desk.running)) if desk.scheduler.read(desk.now).breaker_openings else most
        healthy = second % 12 < 2
        while desk.running:
            desk.answer() if healthy else desk.fail()
        desk.advance(1.0)
    assert desk.scheduler.read(desk.now).breaker_openings > 5
    assert len(desk.begun) < 600 * 20 / 4


def test_a_late_success_closes_nothing() -> None:
    """ray#65068: a call that had begun before the breaker opened closed it by its success."""
    desk = Desk(breaker=QUICK, concurrency=8, max_keys=1)
    early = [desk.ask([key]) for key in range(3)]
    opened_by = 0
    while desk.breaker != "open":
        desk.ask([100 + opened_by])
        desk.fail(-1)
        opened_by += 1
    assert len(desk.running) == 3
    for _ in range(3):
        desk.answer()
    assert [facts(each)[0][0] for each in early] == ["HIT"] * 3
    assert desk.breaker == "open"


def test_calls_come_back_step_by_step_when_caches_are_cold() -> None:
    """Hystrix#1647: the breaker closed while the caches were cold, and everybody called at once."""
    desk = opened(Desk(breaker=QUICK, concurrency=8, max_keys=1))
    reopening(desk)
    desk.ask(range(200))
    for _ in range(2):
        assert len(desk.running) == 1
        desk.answer()
    steps = []
    for _ in range(4):
        steps.append(len(desk.running))
        for _ in range(steps[-1]):
            desk.answer()
    assert steps == [1, 2, 4, 8]


def test_answers_age_from_the_call_and_not_from_their_last_use() -> None:
    """jussi#259: a local cache over a shared one went on serving what was old."""
    desk = Desk(cache=CacheSettings(seconds=10.0, stale_seconds=5.0))
    desk.ask([1])
    desk.advance(2.0)
    desk.answer()
    for _ in range(7):
        desk.advance(1.0)
        assert facts(desk.ask([1])) == [("HIT", 10)]
    desk.advance(1.0)
    refreshed = desk.ask([1])
    assert desk.carried == [[1]]
    desk.fail()
    assert facts(refreshed) == [("STALE", 10)]
    desk.advance(5.0)
    gone = desk.ask([1])
    desk.fail()
    assert facts(gone) == AWAY


@pytest.mark.parametrize("hints", [Hint.CACHEABLE, SHARED, SHARED | Hint.SLOW])
def test_concurrent_calls_are_kept_as_well(hints: Hint) -> None:
    """flink-http-connector#94: the cache was silently off for asynchronous lookups."""
    desk = Desk()
    desk.ask([1], hints=hints)
    desk.answer()
    assert facts(desk.ask([1], hints=hints)) == [("HIT", 10)]


def test_one_call_answers_all_who_want_a_key() -> None:
    desk = Desk(concurrency=4)
    one, two, three = desk.ask([1, 2]), desk.ask([2, 3]), desk.ask([2], limit=0.5)
    assert desk.carried == [[1, 2], [3]]
    desk.advance(1.0)
    assert facts(three) == AWAY
    desk.answer()
    assert (facts(one), two.ended) == ([("HIT", 10), ("HIT", 20)], False)
    desk.answer()
    assert facts(two) == [("HIT", 20), ("HIT", 30)]


def test_who_waits_for_a_slot_goes_in_one_call() -> None:
    desk = Desk(concurrency=1, max_keys=3)
    desk.ask([0])
    for key in range(1, 6):
        desk.ask([key], limit=5.0)
    desk.answer()
    assert desk.carried == [[1, 2, 3]]


def test_a_large_ask_does_not_keep_a_small_one_waiting() -> None:
    desk = Desk(concurrency=2, max_keys=10)
    desk.ask(range(1000))
    small = desk.ask([5000])
    for _ in range(3):
        desk.answer()
    assert facts(small) == [("HIT", 50000)]


def test_a_healthy_lookup_answers_an_ask_of_many_calls_though_it_takes_longer_than_one_time_out() -> None:
    desk = Desk(concurrency=1, max_keys=1, timeout_seconds=2.0, unavailable="fail")
    asks = [desk.ask([start, start + 1]) for start in range(0, 20, 2)]
    for _ in range(20):
        desk.advance(1.0)
        desk.answer()
    assert [facts(ask)[1] for ask in asks] == [("HIT", 10 * key) for key in range(1, 20, 2)]


def test_who_can_wait_waits_with_growing_pauses_and_says_so() -> None:
    desk = Desk(unavailable="wait", wait_seconds=100.0, breaker=NO_BREAKER)
    ask = desk.ask([1])
    while not ask.ended:
        desk.fail() if desk.running else desk.advance(0.1)
    pauses = [later - earlier for earlier, later in zip(desk.begun, desk.begun[1:], strict=False)]
    assert [pause > 2**number / 2 - 0.1 for number, pause in enumerate(pauses)] == [True] * len(pauses)
    assert [pause < 2**number + 0.2 for number, pause in enumerate(pauses)] == [True] * len(pauses)
    assert len(desk.scheduler.notices) in {len(pauses), len(pauses) + 1}
    assert "lookup values is away (down); next try in" in desk.scheduler.notices[0]
    assert (facts(ask), 30 < desk.now <= 100) == (AWAY, True)


def test_a_request_does_not_wait_for_a_lookup_that_is_away() -> None:
    desk = Desk(unavailable="wait")
    ask = desk.ask([1], limit=60.0)
    desk.fail()
    assert (facts(ask), desk.now) == (AWAY, 0.0)


def test_retries_are_a_bounded_share_of_calls() -> None:
    desk = Desk(concurrency=64, breaker=NO_BREAKER, retry=RetryPolicy(attempts=3, first_delay_seconds=0.1))
    for key in range(200):
        desk.ask([key])
        desk.fail()
    desk.advance(5.0)
    assert 10 <= desk.scheduler.metrics.retries <= 10 + 0.2 * 200
