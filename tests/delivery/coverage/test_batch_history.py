"""Random histories of batch runs against an oracle: crashes, unknown outcomes, compactions, vacuums, older runs."""

from __future__ import annotations

import shutil
import tempfile
from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.sample_table import PIPELINE, Tables, day, event_rows, write_rows
from trivium.core.fault_points import InjectedFault
from trivium.delivery.commit import committer
from trivium.delivery.coverage.scope import Window
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.errors import Fenced
from trivium.delivery.table import checkpoint_if_due

DAYS = st.integers(0, 4)
CONTENT = st.dictionaries(DAYS, st.integers(1, 3), max_size=5)
WINDOWS = st.one_of(st.none(), st.tuples(DAYS, st.integers(1, 4)))


class BatchHistory(RuleBasedStateMachine):
    """The table's content, and the dead letters that count, always equal the oracle's."""

    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.tables = Tables(self.folder)
        self.rows: dict[str, tuple[date, int]] = {}
        self.letters: dict[str, int] = {}
        self.stale: list[int] = []
        self.count = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def _inputs(self, content: dict[int, int], span: tuple[int, int] | None):
        window = None if span is None else Window(day(span[0]), day(span[0] + span[1]))
        chosen = {n: c for n, c in content.items() if window is None or window.holds(day(n).isoformat())}
        self.count += 1
        rows = {f"{number}-{index}": day(number) for number, count in chosen.items() for index in range(count)}
        every = range(8)
        days = tuple(d for d in (day(n).isoformat() for n in every) if window is None or window.holds(d))
        return window, rows, days

    def _attempt(self, content: dict[int, int], span: tuple[int, int] | None, crash: str) -> None:
        window, rows, days = self._inputs(content, span)
        tables = self.tables
        generation = tables.begin()
        dead_letters.remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, generation, tables.clock)
        files = write_rows(tables.uri, event_rows(rows, self.count)) if rows else ()
        rejected = {day(number).isoformat() for number in content} & set(days)
        if crash == "before dead letters":
            return
        if rejected:
            tables.append_letters(generation, sorted(rejected), str(self.count))
        if crash == "before commit":
            return
        tables.commit(tables.proposal(generation, files, window, days))
        self.stale.append(generation - 1)
        gone = [name for name, (when, _) in self.rows.items() if when.isoformat() in days]
        for name in gone:
            del self.rows[name]
        self.rows |= {name: (when, self.count) for name, when in rows.items()}
        self.letters = {d: c for d, c in self.letters.items() if d not in days} | dict.fromkeys(rejected, self.count)

    @rule(content=CONTENT, span=WINDOWS)
    def run(self, content: dict[int, int], span: tuple[int, int] | None) -> None:
        self._attempt(content, span, "")

    @rule(content=CONTENT, span=WINDOWS, crash=st.sampled_from(["before dead letters", "before commit"]))
    def crash(self, content: dict[int, int], span: tuple[int, int] | None, crash: str) -> None:
        self._attempt(content, span, crash)

    @rule(content=CONTENT, span=WINDOWS, point=st.sampled_from(["table.before_commit", "table.after_commit"]))
    def run_with_an_unknown_outcome(self, content: dict[int, int], span: tuple[int, int] | None, point: str) -> None:
        fired: list[str] = []

        def strike(name: str) -> None:
            if name == point and not fired:
                fired.append(name)
                raise InjectedFault(name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(committer, "reach", strike)
            self._attempt(content, span, "")
        assert fired

    @rule()
    def compact(self) -> None:
        DeltaTable(self.tables.uri).optimize.compact()

    @rule()
    def vacuum(self) -> None:
        DeltaTable(self.tables.uri).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)

    @rule()
    def checkpoint(self) -> None:
        checkpoint_if_due(self.tables.uri, every=3)

    @rule()
    def an_older_run_wakes_up(self) -> None:
        if self.stale:
            with pytest.raises(Fenced):
                self.tables.commit(self.tables.proposal(self.stale[-1], ()))

    @invariant()
    def content_equals_the_oracle(self) -> None:
        if hasattr(self, "tables"):
            assert self.tables.content() == {name: run for name, (_, run) in self.rows.items()}
            counted = dead_letters.read(self.tables.letters_uri, self.tables.uri).to_pylist()
            assert {row["source_day"]: int(row["reason"]) for row in counted} == self.letters
            assert len(counted) == len(self.letters)


TestBatchHistory = BatchHistory.TestCase
TestBatchHistory.settings = settings(max_examples=10, stateful_step_count=12, deadline=None)
