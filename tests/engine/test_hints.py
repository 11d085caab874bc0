"""Hints: what each lets the engine do, counted in calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.engine_inputs import raw
from tests.support.flow_events import emitted
from tests.support.held_lookup import Gauge, HeldLookup, visits
from trivium import Hint
from trivium.config.worker_spec import spec_of
from trivium.engine.blocking import BlockingWorker


def batch(*users: str) -> Any:
    """A visit of each of these users to a page of one name."""
    return raw(
        *(
            json.dumps({"event_type": "visit", "n": n, "user": user, "page": "home"}).encode()
            for n, user in enumerate(users)
        )
    )


@pytest.mark.parametrize(
    ("hints", "calls_of_users", "most_at_once"),
    [
        (Hint.NONE, 3, 1),
        (Hint.CACHEABLE, 1, 1),
        (Hint.ASYNC, 3, 2),
        (Hint.SLOW, 3, 1),
        (Hint.ASYNC | Hint.CACHEABLE, 1, 2),
    ],
)
def test_three_batches_of_the_same_keys(hints: Hint, calls_of_users: int, most_at_once: int) -> None:
    gauge = Gauge()
    users, pages = HeldLookup(gauge, seconds=0.02), HeldLookup(gauge, seconds=0.02)
    users.open.set()
    pages.open.set()
    worker = BlockingWorker(spec_of([visits(hints)]), {"users": users, "pages": pages})
    for _ in range(3):
        out = worker.run(batch("ann", "bo", "ann"))
        assert emitted(out, event_type="visit") == [3 + 3 + 4, 2 + 2 + 4, 3 + 3 + 4]
    assert users.calls == [["ann", "bo"]] * calls_of_users  # two enrichments of one lookup and key ask once
    assert len(pages.calls) == calls_of_users
    assert gauge.most == most_at_once


def test_what_was_kept_is_not_asked_again_beside_what_is_new() -> None:
    users, pages = HeldLookup(), HeldLookup()
    users.open.set()
    pages.open.set()
    worker = BlockingWorker(spec_of([visits(Hint.CACHEABLE)]), {"users": users, "pages": pages})
    worker.run(batch("ann", "bo"))
    assert emitted(worker.run(batch("bo", "charlie")), event_type="visit") == [2 + 2 + 4, 7 + 7 + 4]
    assert users.calls == [["ann", "bo"], ["charlie"]]
    assert pages.calls == [["home"]]
