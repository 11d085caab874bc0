"""Stream, batch and maintenance commit to one table at once: races are lost, and nothing with them."""

import subprocess
import sys
import threading
import time

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from tests.support import batch_project
from tests.support.audit import commits
from tests.support.stream_archive import write_archive
from tests.support.stream_project import StreamProject
from trivium.operations.maintain import maintain
from trivium.operations.tables import Tables

pytestmark = pytest.mark.faults


@pytest.mark.timeout(600)
def test_compaction_batch_and_stream_at_once(project: StreamProject) -> None:
    project.write_config(workers=1, interval=0.2)
    write_archive(project, rows=400)
    stream = project.start()
    project.produce(project.ticks(500, fickle=0.3))
    project.wait_for_version(3, stream)
    done = threading.Event()
    others = [threading.Thread(target=each, args=(project, done)) for each in (keep_maintaining, keep_producing)]
    for each in others:
        each.start()
    try:
        batches = 0
        end = time.monotonic() + 150
        while batches < 2 or not (races(project) and maintained(project)):
            assert time.monotonic() < end, f"{batches} batch runs, {races(project)} races, {maintained(project)}"
            run_batch(project)
            batches += 1
    finally:
        done.set()
        for each in others:
            each.join()
    stream.terminate()
    outcome = project.finish(stream)
    assert outcome.code == 0, outcome.said
    project.catch_up_well()
    found = project.audit()
    assert found.races
    assert batch_rows(project) == 400


def run_batch(project: StreamProject) -> None:
    """One run of the batch runtime, in a process of its own."""
    command = [sys.executable, "-c", batch_project.DRIVE, str(project.config)]
    answer = subprocess.run(
        command, env=project.environ(), cwd=project.root, text=True, capture_output=True, check=False, timeout=200
    )
    assert answer.returncode == 0, answer.stderr


def keep_maintaining(project: StreamProject, done: threading.Event) -> None:
    """`trivium maintain` over and over."""
    while not done.wait(0.05):
        maintain(Tables(project.table, project.dead_letters))


def keep_producing(project: StreamProject, done: threading.Event) -> None:
    """A trickle, so that the stream commits at every interval."""
    while not done.wait(0.05):
        project.produce(project.ticks(20, fickle=0.3))


def races(project: StreamProject) -> int:
    """How many commits of the table needed a second attempt."""
    return sum(int(info.get("attempt", 1)) > 1 for _, info, _ in commits(project.table))


def maintained(project: StreamProject) -> set[str]:
    """The kinds of commits that are in the log, once there is one of each writer."""
    kinds = {str(info.get("kind")) for _, info, _ in commits(project.table)}
    return kinds if {"epoch", "compaction"} <= kinds else set()


def batch_rows(project: StreamProject) -> int:
    """Rows the batch runtime has put into the table."""
    rows = DeltaTable(project.table).to_pyarrow_dataset()
    return int(rows.count_rows(filter=pc.field("_runtime") == "batch"))
