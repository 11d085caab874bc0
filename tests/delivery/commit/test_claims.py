"""Batch runs of one table side by side: each claims event days and types; only overlapping ones meet."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.sample_table import PIPELINE, TYPES, Tables, day, event_rows, write_rows
from trivium.delivery.commit import claims
from trivium.delivery.commit.batch import BatchCommit
from trivium.delivery.commit.claims import FOLDER, Runs, claim_generation
from trivium.delivery.commit.generation import take_generation
from trivium.delivery.coverage.documents import Reading
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.dead_letters.batch import remove_uncounted
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import Fenced, Overtaken, PreconditionFailed
from trivium.delivery.storage.storage import Storage

ONE, TWO, BOTH = Window(day(0), day(1)), Window(day(1), day(2)), Window(day(0), day(2))
A, B = frozenset("a"), frozenset("b")
D1, D2 = "2026-01-01", "2026-01-02"


def _again(tables: Tables, run: int, window: Window | None = None) -> int:
    """Another number for a run."""
    return claim_generation(tables.uri, tables.letters_uri, PIPELINE, Scope(window, TYPES), tables.clock, run)


def _proposal(tables: Tables, generation: int, name: str, number: int, window: Window) -> BatchCommit:
    files = write_rows(tables.uri, event_rows({name: day(number)}))
    return tables.proposal(generation, files, window, (day(number).isoformat(),))


def _check(tables: Tables, generation: int) -> int:
    return Runs(tables.uri, PIPELINE, tables.snapshot).check(generation)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (Scope(ONE, A), Scope(TWO, A), False),
        (Scope(ONE, A), Scope(BOTH, A), True),
        (Scope(ONE, A), Scope(None, A), True),
        (Scope(None, A, untyped=False), Scope(None, B, untyped=False), False),
        (Scope(ONE, A, untyped=False), Scope(ONE, B), False),
        (Scope(ONE, A), Scope(ONE, B), True),  # both replace dead letters without a type
        (Scope(ONE, A | B, untyped=False), Scope(BOTH, B, untyped=False), True),
        (Scope(ONE, A, frozenset({D1})), Scope(BOTH, A, frozenset({D2})), True),
    ],
)
def test_scopes_overlap_in_days_and_types(one: Scope, other: Scope, overlap: bool):
    assert one.overlaps(other) == other.overlaps(one) == overlap


def test_numbers_count_up_in_both_tables_and_have_their_claims(tables: Tables):
    assert [tables.begin(ONE), tables.begin(TWO), tables.begin(BOTH)] == [1, 2, 3]
    for uri in (tables.uri, tables.letters_uri):
        runs = Runs(tables.uri, PIPELINE, Snapshot.latest(uri))
        found = [runs.find(number) for number in (1, 2, 3, 4)]
        assert [each and each.scope for each in found] == [
            Scope(ONE, TYPES),
            Scope(TWO, TYPES),
            Scope(BOTH, TYPES),
            None,
        ]


def test_a_later_run_fences_those_that_it_overlaps(tables: Tables):
    first, second = tables.begin(ONE), tables.begin(TWO)
    assert (_check(tables, first), _check(tables, second)) == (first, second)
    third = tables.begin(ONE)
    with pytest.raises(Fenced, match=r"this run has generation 1, the table has generation 3.*took over event days"):
        _check(tables, first)
    assert (_check(tables, second), _check(tables, third)) == (second, third)


def test_runs_of_other_days_land_in_any_order(tables: Tables):
    first, second = tables.begin(ONE), tables.begin(TWO)
    tables.commit(_proposal(tables, second, "b", 1, TWO))
    with pytest.raises(Overtaken, match="generation 2 committed before 1"):
        tables.commit(_proposal(tables, first, "a", 0, ONE))
    again = _again(tables, first, ONE)
    assert again == 3
    tables.commit(_proposal(tables, again, "a", 0, ONE))
    assert tables.content() == {"a": 0, "b": 0}


def test_a_commit_between_coverage_and_commit_is_noticed(tables: Tables):
    """Its number is greater than the other's, but what it says of coverage is from before."""
    first, second = tables.begin(ONE), tables.begin(TWO)
    stale = _proposal(tables, second, "b", 1, TWO)
    tables.commit(_proposal(tables, first, "a", 0, ONE))
    with pytest.raises(Overtaken, match="generation 1 committed before 2"):
        tables.commit(stale)


def test_another_number_of_an_older_run_fences_nobody(tables: Tables):
    older, beside = tables.begin(ONE), tables.begin(TWO)
    again = _again(tables, older, ONE)
    newer = tables.begin(ONE)
    assert (again, newer) == (3, 4)
    assert (_check(tables, newer), _check(tables, beside)) == (newer, beside)
    for number in (older, again):
        with pytest.raises(Fenced, match="this run has generation 1, the table has generation 4"):
            _check(tables, number)
    with pytest.raises(Fenced, match="this run has generation 1, the table has generation 4"):
        _again(tables, older, ONE)
    assert tables.begin(TWO) == 5


def test_a_run_commits_once_whatever_its_number(tables: Tables):
    first = tables.begin(ONE)
    tables.commit(_proposal(tables, first, "a", 0, ONE))
    again = _again(tables, first, ONE)
    with pytest.raises(PreconditionFailed, match="comes too late"):
        tables.commit(_proposal(tables, again, "a", 0, ONE))


def test_a_commit_is_known_to_have_landed_with_others_on_top(tables: Tables):
    first, second = tables.begin(ONE), tables.begin(TWO)
    proposal = _proposal(tables, first, "a", 0, ONE)
    assert not proposal.landed(tables.snapshot)
    tables.commit(proposal)
    tables.commit(_proposal(tables, second, "b", 1, TWO))
    assert proposal.landed(tables.snapshot)


def test_a_start_that_died_between_the_tables_fences_nobody(tables: Tables, monkeypatch: pytest.MonkeyPatch):
    beside, real = tables.begin(ONE), claims.commit

    def die_at_the_table(uri, proposal, clock):
        if uri == tables.uri:
            raise KeyboardInterrupt
        return real(uri, proposal, clock)

    monkeypatch.setattr(claims, "commit", die_at_the_table)
    with pytest.raises(KeyboardInterrupt):
        tables.begin(BOTH)
    monkeypatch.undo()
    assert tables.begin(TWO) == 3
    assert _check(tables, beside) == beside


@pytest.mark.parametrize(("other", "taken"), [(TWO, 3), (BOTH, None)])
def test_of_two_starts_at_once_the_one_behind_takes_the_next_number_or_stops(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, other: Window, taken: int | None
):
    real, started = claims.commit, []

    def overtaken(uri, proposal, clock):
        if uri == tables.uri and not started:
            started.append(True)
            assert tables.begin(other) == 2
        return real(uri, proposal, clock)

    monkeypatch.setattr(claims, "commit", overtaken)
    if taken is None:
        with pytest.raises(Fenced, match="generation 1, the table has generation 2"):
            tables.begin(ONE)
        assert _check(tables, 2) == 2
    else:
        assert tables.begin(ONE) == taken
        assert (_check(tables, 2), _check(tables, 3)) == (2, 3)


def test_runs_of_a_version_without_claims_may_replace_anything(tables: Tables):
    older = tables.begin(ONE)
    assert take_generation(tables.uri, tables.letters_uri, PIPELINE, "batch", tables.clock) == 2
    with pytest.raises(Fenced):
        _check(tables, older)
    assert _check(tables, tables.begin(TWO)) == 3


def test_a_claim_that_is_gone_may_have_been_of_anything(tables: Tables, monkeypatch: pytest.MonkeyPatch):
    older, _ = tables.begin(ONE), tables.begin(TWO)
    for file in Storage(tables.uri).list(FOLDER):
        Storage(tables.uri).remove(file.path)
    claims._claim.cache_clear()  # noqa: SLF001 - what another process would find
    with pytest.raises(Fenced):
        _check(tables, older)


def test_a_run_is_remembered_for_so_many_later_ones(tables: Tables, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transactions, "REMEMBERED_RUNS", 3)
    first = tables.begin(ONE)
    assert [tables.begin(TWO) for _ in range(2)] == [2, 3]
    assert _check(tables, first) == first
    tables.begin(TWO)
    with pytest.raises(Fenced):
        _check(tables, first)


def test_letters_of_a_run_beside_are_left_to_it(tables: Tables):
    first, second = tables.begin(ONE), tables.begin(TWO)
    tables.append_letters(first, [D1])
    assert remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, second, tables.clock) == 0
    tables.commit(tables.proposal(first, (), ONE, (D1,)))
    third = tables.begin(ONE)
    tables.append_letters(third, [D1], "third")
    fourth = tables.begin(BOTH)
    assert remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, fourth, tables.clock) == 1
    read = dead_letters.read(tables.letters_uri, tables.uri).to_pylist()
    assert [(row["source_day"], row["reason"]) for row in read] == [(D1, "bad")]


def test_letters_that_a_commit_replaced_may_go_whoever_comes(tables: Tables):
    for _ in range(2):
        generation = tables.begin(ONE)
        tables.append_letters(generation, [D1])
        tables.commit(tables.proposal(generation, (), ONE, (D1,)))
    assert remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, tables.begin(TWO), tables.clock) == 1
    assert dead_letters.count(tables.letters_uri, tables.uri).rejected == 1


def test_letters_of_an_earlier_number_of_the_run_go(tables: Tables):
    first = tables.begin(ONE)
    tables.append_letters(first, [D1])
    again = _again(tables, first, ONE)
    assert remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, again, tables.clock) == 1


def test_units_of_a_run_beside_are_resumed_those_that_were_taken_over_are_not(tables: Tables):
    first, second = tables.begin(ONE), tables.begin(TWO)
    tables.commit(_proposal(tables, second, "b", 1, TWO))
    runs = Runs(tables.uri, PIPELINE, tables.snapshot)
    assert (runs.replaced(first), runs.replaced(second)) == (False, True)
    resumed = tables.begin(ONE)
    tables.commit(_proposal(tables, resumed, "a", 0, ONE))
    runs = Runs(tables.uri, PIPELINE, tables.snapshot)
    assert (runs.landed(first), runs.replaced(first), runs.landed(resumed)) == (False, True, True)


def test_types_of_one_day_side_by_side_share_a_file_that_mixes_them(tables: Tables):
    rows = event_rows({"a": day(0), "b": day(0)})
    types = pa.array(["a", "b"], pa.string())
    mixed = rows.set_column(rows.column_names.index("_event_type"), "_event_type", types)
    generation = tables.begin(None, A | B)
    files = write_rows(tables.uri, mixed, apart=())
    tables.commit(tables.proposed(generation, files, Scope(None, A | B), Reading({}, {})))

    def of(number: int, name: str):
        made = event_rows({name: day(0)}, number)
        made = made.set_column(made.column_names.index("_event_type"), "_event_type", pa.array([name], pa.string()))
        scope = Scope(None, frozenset(name), untyped=False)
        generation = claim_generation(tables.uri, tables.letters_uri, PIPELINE, scope, tables.clock)
        return generation, scope, write_rows(tables.uri, made)

    (first, one, of_a), (second, other, of_b) = of(1, "a"), of(2, "b")
    tables.commit(tables.proposed(second, of_b, other, Reading({}, {})))
    again = claim_generation(tables.uri, tables.letters_uri, PIPELINE, one, tables.clock, first)
    tables.commit(tables.proposed(again, of_a, one, Reading({}, {})))
    assert tables.content() == {"a": 1, "b": 2}
    assert len(list(Path(tables.uri).rglob("*carried*"))) == 1
