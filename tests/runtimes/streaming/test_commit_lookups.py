"""The states of lookups that answered in an epoch, in the metadata of its commit."""

from __future__ import annotations

from pathlib import Path

import deltalake

from tests.support.sample_table import InstantClock
from tests.support.stream_bodies import pipeline_of
from tests.support.stream_table import PARTITIONS, StreamTables
from trivium.delivery.commit.lookups import lookups_in
from trivium.delivery.commit.stream import OffsetRange
from trivium.engine.lookups.usage import LookupState, LookupUse
from trivium.engine.outcomes import Counts
from trivium.runtimes.streaming.epochs import EpochCommitter
from trivium.runtimes.streaming.job import EpochResult


def test_the_oldest_and_the_newest_state_of_all_workers_are_in_the_commit(tmp_path: Path) -> None:
    tables = StreamTables(tmp_path)
    committer = EpochCommitter(pipeline_of(tables), tables.adopted().generation, InstantClock())
    states = [LookupState("v1", 10), LookupState("v2", 20), LookupState("v3", 30)]
    for worker, partition in enumerate(PARTITIONS[:2]):
        use = LookupUse({"calls": 1, "found": 2}, states[worker], states[worker + 1])
        ranges = {partition: OffsetRange(0, 1, read=1, dropped=1)}
        committer.add(EpochResult(ranges, (), (), {"departure": Counts(1, 0, 0, 1, 0)}, lookups={"planes": use}))
    committer.commit()
    (commit, *_) = deltalake.DeltaTable(tables.uri).history(1)
    assert lookups_in(commit) == {"planes": LookupUse({"calls": 2, "found": 4}, states[0], states[2])}
