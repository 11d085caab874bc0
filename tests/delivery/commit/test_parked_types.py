"""Event types that a runtime holds back: kept beside the table, for one executor version and one breaker."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from trivium import Event, Executor, NormalizedEvent
from trivium.config.model.streaming import Breaker
from trivium.config.worker_spec import BoundExecutor, spec_of
from trivium.delivery.commit.parked_types import forget_parked, parked_by, parked_types, record_parked, take_parked

PARKING = Breaker(then="park")
SINCE_US = 1_767_225_600_000_000


class Sold(Event, tag="sold"):
    at: datetime


class Sale(NormalizedEvent):
    pass


class Sells(Executor[Sold, Sale]):
    def process(self, event: Sold) -> Sale | None:
        return None


BOUND: BoundExecutor = spec_of([Sells]).executors["sold"]


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A table's place, with a type parked by its stream."""
    record_parked(str(tmp_path), "streaming", parked_by(PARKING, BOUND, SINCE_US, "all of them"))
    return str(tmp_path)


def test_a_start_finds_what_is_parked(uri: str) -> None:
    found = take_parked(uri, "streaming", PARKING, {"sold": BOUND})
    assert found == parked_types(uri, "streaming")
    assert found["sold"].sentence == "sold is parked since 2026-01-01T00:00:00Z, executor version memory: all of them"
    assert take_parked(uri, "batch", PARKING, {"sold": BOUND}) == {}


@pytest.mark.parametrize(
    ("breaker", "version", "changed"),
    [
        (PARKING, "mended", "its executor"),
        (Breaker(), "memory", "the breaker"),
        (Breaker(then="park", least=5), "memory", "the breaker"),
        ("off", "memory", "the breaker"),
    ],
)
def test_a_start_with_something_else_processes_the_type_again(
    uri: str, caplog: pytest.LogCaptureFixture, breaker: Breaker | str, version: str, changed: str
) -> None:
    with caplog.at_level(logging.WARNING):
        assert take_parked(uri, "streaming", breaker, {"sold": replace(BOUND, version=version)}) == {}
    assert f"sold was parked since 2026-01-01T00:00:00Z; {changed} changed since" in caplog.text
    assert "dead-letters replay CONFIG --parked sold" in caplog.text
    assert parked_types(uri, "streaming") == {}


def test_a_type_that_is_not_listed_keeps_its_record(uri: str) -> None:
    assert take_parked(uri, "streaming", PARKING, {}) == {}
    assert set(parked_types(uri, "streaming")) == {"sold"}


def test_what_is_no_record_is_ignored(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    (Path(uri) / "_trivium/parked/streaming/torn.json").write_bytes(b"{")
    assert set(parked_types(uri, "streaming")) == {"sold"}
    assert "is no record of a parked type" in caplog.text
    forget_parked(uri, "streaming", "sold")
    forget_parked(uri, "streaming", "sold")
    assert parked_types(uri, "streaming") == {}
