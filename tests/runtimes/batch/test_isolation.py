"""Isolation in batch: it needs no CPU that others hold, blames no record for its own start, and keeps errors' names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import ray

from tests.support.visits import Visits, visit
from trivium.runtimes.batch import poison_search as isolate
from trivium.runtimes.batch.poison_search import Isolation
from trivium.runtimes.batch.pool import UnitFailed

pytestmark = pytest.mark.usefixtures("ray_cluster")
IMPORTS = "import os\nimport time\n\nimport pyarrow as pa\n\nfrom trivium.engine import type_worker\n\n"
ACTIONS = """        if event.action == "die":
            os._exit(7)
        if event.action == "hang":
            time.sleep(600)
        if event.action == "engine":
            type_worker.Emitted = broken
        if event.action == "raise":
"""
BROKEN = """

def broken(*_):
    raise pa.ArrowInvalid("a fault of the engine")


class VisitExecutor("""


def project(root: Path, *actions: str | None, start: str = "") -> Visits:
    """Visits of one day, one an action."""
    made = Visits(root)
    text = made.visit_source.read_text().replace('        if event.action == "raise":\n', ACTIONS)
    text = text.replace("\n\nclass VisitExecutor(", BROKEN)
    made.visit_source.write_text(IMPORTS + text + f"\n    def open(self, artifacts):\n        {start or 'pass'}\n")
    made.write(0, [visit(f"v{number}", 0, action=action) for number, action in enumerate(actions)])
    return made


@pytest.fixture
def no_cpu_left() -> Iterator[None]:
    """Actors of somebody else hold every CPU of the cluster."""

    @ray.remote(num_cpus=1)
    class Holder:
        def ready(self) -> None:
            pass

    holders = [Holder.remote() for _ in range(int(ray.cluster_resources()["CPU"]))]
    ray.get([holder.ready.remote() for holder in holders])
    yield
    for holder in holders:
        ray.kill(holder)


@pytest.mark.faults
@pytest.mark.parametrize(("action", "reason"), [("die", "worker_died"), ("hang", "worker_hung")])
def test_a_bad_record_where_no_cpu_is_left(tmp_path: Path, no_cpu_left: None, action: str, reason: str) -> None:
    prepared = project(tmp_path, None, action, None).prepare()
    isolation, began = Isolation(prepared.job, unit_seconds=12.0, record_seconds=4.0), time.monotonic()
    try:
        result = isolation.run(prepared.source.units[0])
    finally:
        isolation.close()
    counts = result.counts["visit"]
    assert (counts.read, counts.emitted_inputs) == (2, 2)
    assert [group.signature.reason for group in result.signatures] == [reason]
    assert time.monotonic() - began < 120


def test_an_error_of_the_engine_keeps_its_name(tmp_path: Path) -> None:
    prepared = project(tmp_path, None, "engine").prepare()
    isolation = Isolation(prepared.job, 60.0, 60.0)
    with pytest.raises(UnitFailed, match="ArrowInvalid: a fault of the engine"):
        isolation.run(prepared.source.units[0])
    isolation.close()


def test_a_slow_start_is_not_the_records(tmp_path: Path) -> None:
    """The record may take three seconds; the process takes four and more to get ready."""
    prepared = project(tmp_path, None, start="time.sleep(4)").prepare()
    isolation = Isolation(prepared.job, 3.0, 3.0)
    result = isolation.run(prepared.source.units[0])
    isolation.close()
    assert result.counts["visit"].emitted_inputs == 1


def test_a_process_that_cannot_be_had_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    prepared = project(tmp_path, None, start="time.sleep(600)").prepare()
    isolation = Isolation(prepared.job, 1.0, 1.0)
    with (
        patch.multiple(isolate, _START_SECONDS=4.0, _WARN_EVERY_SECONDS=2.0),
        pytest.raises(UnitFailed, match=r"cannot be run in isolation: its process did not start within 4 s"),
    ):
        isolation.run(prepared.source.units[0])
    assert "has not started for 2 s" in caplog.text


def test_an_executor_that_does_not_open_is_told_in_its_words(tmp_path: Path) -> None:
    prepared = project(tmp_path, None, start='raise ValueError("no model")').prepare()
    with pytest.raises(UnitFailed, match="the executor of visit did not open: ValueError: no model"):
        Isolation(prepared.job, 1.0, 1.0).run(prepared.source.units[0])


@pytest.mark.faults
def test_a_process_that_dies_at_its_start_is_said(tmp_path: Path) -> None:
    prepared = project(tmp_path, None, start="os._exit(1)").prepare()
    with pytest.raises(UnitFailed, match=r"its process died at its start, 3 times"):
        Isolation(prepared.job, 1.0, 1.0).run(prepared.source.units[0])
