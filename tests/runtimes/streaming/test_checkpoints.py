"""Checkpoints of streams: by the length of the log, however few commits each process makes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.support.power_cut_story import forget
from tests.support.sample_table import InstantClock
from tests.support.stream_bodies import pipeline_of
from tests.support.stream_table import PARTITIONS, StreamTables
from trivium.delivery.commit.stream import OffsetRange
from trivium.engine.outcomes import Counts
from trivium.runtimes.streaming.epochs import EpochCommitter
from trivium.runtimes.streaming.job import EpochResult


def _epoch(start: int) -> EpochResult:
    ranges = {name: OffsetRange(start, start + 1, read=1, dropped=1) for name in PARTITIONS}
    return EpochResult(ranges, (), (), {"departure": Counts(2, 0, 0, 2, 0)})


def _checkpoints(uri: str) -> list[int]:
    return sorted(int(path.name[:20]) for path in Path(uri, "_delta_log").glob("*.checkpoint.parquet"))


def test_streams_of_one_commit_each_write_checkpoints(tmp_path: Path):
    tables = StreamTables(tmp_path)
    run = tables.adopted()
    for start in range(45):
        forget()
        committer = EpochCommitter(pipeline_of(tables), run.generation, InstantClock())
        committer.add(_epoch(start))
        committer.commit()
    newest = tables.snapshot.version
    assert _checkpoints(tables.uri) == [19, 39]
    assert newest - 39 < 20
    assert tables.positions().next == dict.fromkeys(PARTITIONS, 45)


def test_a_long_stream_writes_them_too(tmp_path: Path):
    tables = StreamTables(tmp_path)
    committer = EpochCommitter(pipeline_of(tables), tables.adopted().generation, InstantClock())
    for start in range(60):
        committer.add(_epoch(start))
        committer.commit()
    written = _checkpoints(tables.uri)
    gaps = [later - earlier for earlier, later in pairwise([0, *written])]
    assert len(gaps) >= 2
    assert max(gaps) <= 30
