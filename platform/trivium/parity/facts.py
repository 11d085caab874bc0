"""Facts that runtimes are compared on: one answer to each question, or proof that all of them used one state."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from trivium.config.pipeline import Pipeline
from trivium.connectors import open_lookup, snapshot_of
from trivium.contract.lookup import Answer, Lookup, TimedLookup, is_in_memory
from trivium.core.clock import Deadline, SystemClock
from trivium.delivery.commit.lookups import lookups_in
from trivium.delivery.maintenance import ledger
from trivium.engine.lookups.names import names_of

_FIRST: Final = "the start"


class SharedFacts:
    """The lookups of a pipeline for as long as parity lasts, pinned, with the names of the states that runtimes used.

    `states` are the names at the start, empty for a lookup that names none.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._bound = pipeline.lookups
        self._opened = {name: open_lookup(bound, SystemClock(), pinned=True) for name, bound in self._bound.items()}
        self.states = {name: snapshot_of(lookup) for name, lookup in self._opened.items()}
        self._used = {name: {_FIRST: [state]} for name, state in self.states.items() if state}

    @cached_property
    def lookups(self) -> dict[str, Lookup]:
        """The lookups for workers of this process: what calls out is called once and then answers as it did."""
        return {
            name: lookup if is_in_memory(lookup) else recorded(lookup, self._columns(name))
            for name, lookup in self._opened.items()
        }

    @property
    def unnamed(self) -> list[str]:
        """The lookups that cannot name their state."""
        return sorted(name for name, state in self.states.items() if not state)

    def note_commits(self, runtime: str, table: str) -> None:
        """Take in which states a runtime used, as the commits into its table say."""
        for commit in ledger.commits(table):
            for name, use in lookups_in(commit.metadata).items():
                states = [each.name for each in (use.oldest, use.newest) if each is not None]
                self._used.setdefault(name, {}).setdefault(runtime, []).extend(states)

    def note_end(self) -> None:
        """Take in the names of the states as they are now; a service has no commits to say what it used."""
        for name, bound in self._bound.items():
            if state := self.states[name]:
                now = snapshot_of(open_lookup(bound, SystemClock(), pinned=True))
                self._used.setdefault(name, {})["the end"] = [state, now]

    def changes(self) -> list[str]:
        """Return a sentence on each lookup whose facts changed while the runtimes ran."""
        found = []
        for name, used in sorted(self._used.items()):
            if len({state for states in used.values() for state in states}) > 1:
                shown = ", ".join(f"{who}: {' to '.join(dict.fromkeys(states))}" for who, states in used.items())
                found.append(f"the facts of the lookup {name} changed meanwhile ({shown})")
        return found

    def _columns(self, name: str) -> list[str]:
        return [spec.wire for spec in self._bound[name].columns]


def recorded(lookup: Lookup, columns: Sequence[str]) -> Lookup:
    """Return a lookup that asks another one for each key once."""
    return _RecordedTimes(lookup, columns) if isinstance(lookup, TimedLookup) else _Recorded(lookup, columns)


class _Recorded:
    """Answers that are fetched once: whoever wants a key again gets what the first one got."""

    def __init__(self, lookup: Lookup, columns: Sequence[str]) -> None:
        self.inner, self._columns = lookup, list(columns)
        self._lock = threading.Lock()
        self._rows: list[pa.RecordBatch] = []
        self._number: dict[Hashable, int | None] = {}
        self._count = 0

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer from what is recorded, and record what is not."""
        with self._lock:
            names = names_of(keys, None)
            new = [place for place, name in enumerate(names) if name not in self._number]
            if new:
                self._take([names[place] for place in new], self.inner.fetch(keys.take(pa.array(new)), deadline))
            return self._answer(names)

    def _take(self, names: Sequence[Hashable], answer: Answer) -> None:
        rows = answer.rows.select(self._columns)
        for name, place in zip(names, answer.index.to_pylist(), strict=True):
            self._number[name] = None if place is None else self._count + place
        self._rows.append(rows)
        self._count += rows.num_rows

    def _answer(self, names: Sequence[Hashable]) -> Answer:
        if len(self._rows) > 1:
            self._rows = [pa.concat_batches(self._rows)]
        return Answer(self._rows[0], pa.array([self._number[name] for name in names], pa.int32()))


class _RecordedTimes(_Recorded):
    """The same for facts as of a time."""

    inner: Any

    def fetch_as_of(self, keys: pa.Array, times: pa.TimestampArray, deadline: Deadline) -> Answer:
        """Answer from what is recorded, and record what is not."""
        with self._lock:
            names = names_of(keys, times)
            new = [place for place, name in enumerate(names) if name not in self._number]
            if new:
                chosen = pa.array(new)
                answer = self.inner.fetch_as_of(keys.take(chosen), times.take(chosen), deadline)
                self._take([names[place] for place in new], answer)
            return self._answer(names)
