"""The bids: the same for a seed, of unique identity, and the same in both forms."""

import json
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.nexmark import FILES, prepare


def test_json_says_what_the_typed_columns_say(tmp_path: Path) -> None:
    bids = prepare(tmp_path, 5_000)
    typed, raw = pq.read_table(bids.typed), pq.read_table(bids.raw)
    assert [json.loads(value) for value in raw["value"].to_pylist()] == typed.to_pylist()
    assert len(list(bids.typed.iterdir())) == len(list(bids.raw.iterdir())) == FILES


def test_a_seed_names_the_bids(tmp_path: Path) -> None:
    first, again, other = prepare(tmp_path / "a", 2_000), prepare(tmp_path / "b", 2_000), prepare(tmp_path, 2_000, 15)
    assert pq.read_table(first.typed).equals(pq.read_table(again.typed))
    assert not pq.read_table(first.typed).equals(pq.read_table(other.typed))


def test_every_bid_has_an_identity_and_a_time_of_one_day(tmp_path: Path) -> None:
    bids = pq.read_table(prepare(tmp_path, 20_000).typed)
    assert pc.count_distinct(bids["event_id"]).as_py() == 20_000
    assert set(pc.strftime(bids["dateTime"].cast("timestamp[ms]"), "%Y-%m-%d").to_pylist()) == {"2015-07-15"}
    share = pc.mean(pc.and_(pc.greater(bids["price"], 1_101_321), pc.less(bids["price"], 55_066_079))).as_py()
    assert 0.26 < share < 0.30


def test_bids_are_made_once(tmp_path: Path) -> None:
    written = [path.stat().st_mtime_ns for path in sorted(prepare(tmp_path, 1_000).typed.iterdir())]
    assert [path.stat().st_mtime_ns for path in sorted(prepare(tmp_path, 1_000).typed.iterdir())] == written
    assert [path.name for path in tmp_path.iterdir()] == ["nexmark-14-1000"]
