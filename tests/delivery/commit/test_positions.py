from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sample_table import PIPELINE, day
from tests.support.stream_table import IDENTITIES, PARTITIONS, Run, StreamTables
from trivium.delivery.commit.committer import Landed, commit
from trivium.delivery.commit.positions import Adoption, Positions, Reset, parse_source, source_name, topic_of
from trivium.delivery.errors import Fenced, PreconditionFailed, TopicChanged

NEW_TOPIC = {"flights": 4712}


@pytest.fixture
def tables(tmp_path: Path) -> StreamTables:
    return StreamTables(tmp_path)


def _reset(run: Run, positions: dict[str, int], identities: dict[str, int] | None = None) -> Landed:
    proposal = Reset(PIPELINE, run.generation, positions, identities or IDENTITIES)
    return commit(run.tables.uri, proposal, run.tables.clock)


def _lose_the_first_race(tables: StreamTables, monkeypatch, kind: type, competitor) -> None:
    """Somebody else commits between the snapshot and the commit."""
    real, raced = kind.change, []

    def change(self, snapshot):
        found = real(self, snapshot)
        if not raced:
            raced.append(True)
            competitor()
        return found

    monkeypatch.setattr(kind, "change", change)


@pytest.mark.parametrize(("partition", "epoch", "source"), [("a/0", 0, "a/0"), ("a.b-c/12", 3, "a.b-c/12@3")])
def test_a_source_names_its_partition_and_epoch(partition: str, epoch: int, source: str):
    assert source_name(partition, epoch) == source
    assert parse_source(source) == (partition, epoch)
    assert topic_of(partition) == partition.split("/", maxsplit=1)[0]


def test_an_empty_table_has_no_positions(tables: StreamTables):
    assert tables.positions() == Positions(dict.fromkeys(PARTITIONS), {"flights": None}, {"flights": 0})


def test_adoption_gives_first_positions_and_identities(tables: StreamTables):
    run = tables.start()
    run.adopt({"flights/0": 7, "flights/1": 0})
    assert tables.positions() == Positions({"flights/0": 7, "flights/1": 0}, IDENTITIES, {"flights": 0})
    assert tables.snapshot.table.history(1)[0]["kind"] == "adoption"


def test_a_partition_is_adopted_once(tables: StreamTables):
    run = tables.adopted(3)
    with pytest.raises(PreconditionFailed, match=r"flights/1.*have positions already"):
        run.adopt({"flights/1": 9, "flights/2": 0})
    assert tables.positions((*PARTITIONS, "flights/2")).next == {"flights/0": 3, "flights/1": 3, "flights/2": None}


def test_a_new_partition_of_a_known_topic_is_adopted(tables: StreamTables):
    run = tables.adopted(3)
    run.adopt({"flights/2": 0})
    assert tables.positions(("flights/2",)).next == {"flights/2": 0}


def test_a_new_partition_of_another_topic_of_that_name_is_refused(tables: StreamTables):
    run = tables.adopted()
    with pytest.raises(TopicChanged, match="identity 4711 expected, 4712 found"):
        run.adopt({"flights/2": 0}, NEW_TOPIC)
    assert tables.positions(("flights/2",)).next == {"flights/2": None}


def test_identities_are_compared_per_topic(tables: StreamTables):
    run = tables.adopted()
    run.adopt({"weather/0": 0}, {"weather": 5})
    known = tables.positions(("flights/0", "weather/0"))
    known.check_identities({"flights": 4711, "weather": 5})
    with pytest.raises(TopicChanged, match="topic weather"):
        known.check_identities({"flights": 4711, "weather": 6})
    tables.positions(("unknown/0",)).check_identities({"unknown": 1})


def test_an_older_run_adopts_nothing(tables: StreamTables):
    older = tables.start()
    tables.start()
    with pytest.raises(Fenced):
        older.adopt({"flights/0": 0})
    assert tables.positions().next["flights/0"] is None


def test_an_adoption_whose_response_is_lost_lands_once(tables: StreamTables, monkeypatch):
    run, real = tables.start(), tables.clock.sleep
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", "adoption.after_commit:raise")

    def disarm(seconds: float) -> None:
        monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
        real(seconds)

    tables.clock.sleep = disarm
    assert run.adopt({"flights/0": 5}).attempts == 2
    assert tables.positions().next["flights/0"] == 5


def test_an_adoption_that_lost_to_a_newer_run_s_is_not_taken_for_its_own(tables: StreamTables, monkeypatch):
    """Both start at the same offsets, so the positions alone do not tell whose they are."""
    older = tables.start()

    def newer_run_adopts() -> None:
        tables.start().adopt(dict.fromkeys(PARTITIONS, 0))

    _lose_the_first_race(tables, monkeypatch, Adoption, newer_run_adopts)
    with pytest.raises(Fenced):
        older.adopt(dict.fromkeys(PARTITIONS, 0))


def test_a_reset_forward_opens_an_epoch_and_counts_what_it_skips(tables: StreamTables):
    run = tables.adopted()
    run.run_epoch({"flights/0": (0, "eeee")})
    operator = tables.start()
    _reset(operator, {"flights/0": 10, "flights/1": 5})
    assert tables.positions() == Positions({"flights/0": 10, "flights/1": 5}, IDENTITIES, {"flights": 1})
    entry = tables.snapshot.table.history(1)[0]
    assert (entry["kind"], entry["skipped_by_operator"]) == ("reset", "11")
    tables.start(epoch=1).run_epoch({"flights/0": (10, "ee")})
    assert {("flights/0@1", 10), ("flights/0@1", 11), ("flights/0", 0)} <= set(tables.rows())


def test_a_reset_back_within_a_topic_is_refused(tables: StreamTables):
    run = tables.adopted()
    run.run_epoch({"flights/1": (0, "ee")})
    with pytest.raises(PreconditionFailed, match="flights/1: expected a position of 2 or later, got 1"):
        _reset(run, {"flights/0": 5, "flights/1": 1})
    assert tables.positions() == Positions({"flights/0": 0, "flights/1": 2}, IDENTITIES, {"flights": 0})


def test_a_topic_made_anew_starts_where_the_operator_says(tables: StreamTables):
    run = tables.adopted()
    run.run_epoch({"flights/0": (0, "eeee"), "flights/1": (0, "ee")})
    operator = tables.start()
    _reset(operator, dict.fromkeys(PARTITIONS, 0), NEW_TOPIC)
    assert tables.positions() == Positions(dict.fromkeys(PARTITIONS, 0), NEW_TOPIC, {"flights": 1})
    assert tables.snapshot.table.history(1)[0]["skipped_by_operator"] == "0"
    again = tables.start(epoch=1)
    again.run_epoch({"flights/0": (0, "ere"), "flights/1": (0, "e")})
    assert tables.rows()[("flights/0", 0)] == tables.rows()[("flights/0@1", 0)] == 1
    assert tables.counted_letters() == {("flights/0@1", 1): 1}


def test_resets_add_up(tables: StreamTables):
    operator = tables.adopted()
    _reset(operator, dict.fromkeys(PARTITIONS, 1))
    _reset(operator, dict.fromkeys(PARTITIONS, 1))
    assert tables.positions().epochs == {"flights": 2}


def test_an_older_run_resets_nothing(tables: StreamTables):
    older = tables.adopted()
    tables.start()
    with pytest.raises(Fenced):
        _reset(older, dict.fromkeys(PARTITIONS, 9))
    assert tables.positions().epochs == {"flights": 0}


@pytest.mark.parametrize("identities", [IDENTITIES, NEW_TOPIC], ids=["same topic", "new topic"])
def test_a_reset_that_lost_a_race_is_made_although_no_position_moves(tables: StreamTables, monkeypatch, identities):
    """Positions that do not differ say nothing about whether the reset is in."""
    operator = tables.adopted()
    _lose_the_first_race(tables, monkeypatch, Reset, lambda: tables.run({"a": day(0)}))
    landed = _reset(operator, dict.fromkeys(PARTITIONS, 0), identities)
    assert landed.attempts == 2
    assert tables.positions() == Positions(dict.fromkeys(PARTITIONS, 0), identities, {"flights": 1})


def test_a_reset_whose_response_is_lost_opens_one_epoch(tables: StreamTables, monkeypatch):
    operator, real = tables.adopted(), tables.clock.sleep
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", "reset.after_commit:raise")

    def disarm(seconds: float) -> None:
        monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
        real(seconds)

    tables.clock.sleep = disarm
    assert _reset(operator, dict.fromkeys(PARTITIONS, 4)).attempts == 2
    assert tables.positions().epochs == {"flights": 1}


def test_a_topic_made_anew_with_fewer_partitions_leaves_no_position_behind(tables: StreamTables):
    """When the new topic grows, its new partition is another one than the old of that number."""
    run = tables.adopted()
    run.run_epoch({"flights/1": (0, "eeee")})
    operator = tables.start(partitions=("flights/0",))
    _reset(operator, {"flights/0": 0}, NEW_TOPIC)
    assert tables.positions().next == {"flights/0": 0, "flights/1": 0}
    grown = tables.start(epoch=1)
    grown.run_epoch({"flights/1": (0, "ee")})
    assert tables.rows()[("flights/1@1", 0)] == 1
