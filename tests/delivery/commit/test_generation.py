from __future__ import annotations

import pytest

from tests.support.sample_table import PIPELINE, Tables
from trivium.delivery.commit import generation
from trivium.delivery.commit.generation import check_generation, take_generation
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import Fenced


def _begin(tables: Tables) -> int:
    return take_generation(tables.uri, tables.letters_uri, PIPELINE, "streaming", tables.clock)


def _generations(tables: Tables) -> tuple[int | None, int | None]:
    name = f"{PIPELINE}/streaming/generation"
    return Snapshot.latest(tables.letters_uri).transaction(name), Snapshot.latest(tables.uri).transaction(name)


def test_generations_count_up_in_both_tables(tables: Tables):
    assert [_begin(tables) for _ in range(3)] == [1, 2, 3]
    assert _generations(tables) == (3, 3)


def test_runtimes_count_apart(tables: Tables):
    _begin(tables)
    assert tables.begin() == 1


def test_a_start_that_died_between_the_tables_is_passed_over(tables: Tables, monkeypatch):
    real = generation.commit

    def die_at_the_table(uri, proposal, clock):
        if uri == tables.uri:
            raise KeyboardInterrupt
        return real(uri, proposal, clock)

    monkeypatch.setattr(generation, "commit", die_at_the_table)
    with pytest.raises(KeyboardInterrupt):
        _begin(tables)
    monkeypatch.undo()
    assert _generations(tables) == (1, None)
    assert _begin(tables) == 2
    assert _generations(tables) == (2, 2)


def test_of_two_starts_at_once_the_newer_wins(tables: Tables, monkeypatch):
    """A second run starts between the first one's two commits."""
    real, started = generation.commit, []

    def overtaken(uri, proposal, clock):
        if uri == tables.uri and not started:
            started.append(True)
            _begin(tables)
        return real(uri, proposal, clock)

    monkeypatch.setattr(generation, "commit", overtaken)
    with pytest.raises(Fenced, match="generation 1, the table has generation 2"):
        _begin(tables)
    assert _generations(tables) == (2, 2)


def test_a_lost_race_takes_the_next_number(tables: Tables, monkeypatch):
    """Another run commits between the snapshot and the commit: that is no reason to stop."""
    real, raced = generation._Take.change, []  # noqa: SLF001 - the only place between the snapshot and the commit

    def race(self, snapshot):
        change = real(self, snapshot)
        if not raced:
            raced.append(True)
            _begin(tables)
        return change

    monkeypatch.setattr(generation._Take, "change", race)  # noqa: SLF001
    assert _begin(tables) == 2
    assert _generations(tables) == (2, 2)


def test_the_check_names_both_generations(tables: Tables):
    _begin(tables)
    check_generation(tables.snapshot, PIPELINE, "streaming", 1)
    _begin(tables)
    with pytest.raises(Fenced, match="this run has generation 1, the table has generation 2"):
        check_generation(tables.snapshot, PIPELINE, "streaming", 1)
