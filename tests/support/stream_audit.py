"""The invariants of design section 5, counted from logs in memory and the contents of files, one version at a time.

Nothing here asks the code under test what counts: that is worked out again, from the versions alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from tests.support.sample_table import PIPELINE
from tests.support.stream_memory import MemoryLog, Version
from tests.support.stream_world import TOPIC, Place, World, is_record

_GENERATION = f"{PIPELINE}/streaming/generation"
_EPOCH = f"{PIPELINE}/{TOPIC}/position_epoch"
_IDENTITY = f"{PIPELINE}/{TOPIC}/identity"


@dataclass(frozen=True)
class Stretch:
    """A committed range: the places it holds, its records among them, and how many had which outcome."""

    places: tuple[Place, ...]
    emitted: int
    dropped: int
    rejected: int


class Audit:
    """Checks every new version, then what the tables hold together."""

    def __init__(self, world: World, table: MemoryLog, letters: MemoryLog) -> None:
        self._world, self._table, self._letters = world, table, letters
        self._table_at, self._letters_at = 1, 1
        self._stretches: list[Stretch] = []
        self._letters_in: dict[str, list[Place]] = {}
        self._counted: Counter[Place] = Counter()

    def check(self) -> None:
        """Everything, if anything is new."""
        if (self._table_at, self._letters_at) == (len(self._table.versions), len(self._letters.versions)):
            return
        for number in range(self._letters_at, len(self._letters.versions)):
            self._check_letters(*self._letters.versions[number - 1 : number + 1])
        for number in range(self._table_at, len(self._table.versions)):
            self._check_table(*self._table.versions[number - 1 : number + 1])
        self._table_at, self._letters_at = len(self._table.versions), len(self._letters.versions)
        self._check_present()
        self._check_balance()

    def counted(self) -> Counter[Place]:
        """Streaming's dead letters that count."""
        now = self._table.versions[-1]
        return Counter(place for place in self._present().elements() if self._counts(place, now))

    def uncounted(self) -> Counter[Place]:
        """Those that are there and do not."""
        return self._present() - self.counted()

    def _check_table(self, before: Version, now: Version) -> None:
        kind, runtime = now.metadata.get("kind", "batch"), now.metadata.get("runtime")
        moved = {name for name, at in _positions(now).items() if at != _positions(before).get(name)}
        self._check_fence(before, now)
        assert kind == "reset" or now.transactions.get(_EPOCH) == before.transactions.get(_EPOCH), now.metadata
        assert kind in ("reset", "adoption") or now.transactions.get(_IDENTITY) == before.transactions.get(_IDENTITY)
        if kind == "epoch":
            self._take(before, now, moved)
        elif kind == "adoption":
            assert not now.added
            assert all(name not in _positions(before) for name in moved), "adopted twice"
        elif kind == "reset":
            self._check_reset(before, now)
        else:
            assert not moved, f"{kind} moved {moved}"
        self._check_files(before, now, kind, runtime)

    def _check_fence(self, before: Version, now: Version) -> None:
        """Of streaming's commits each is of the run that is the newest in the version it was put on."""
        if now.metadata.get("runtime") != "streaming":
            return
        own, newest = int(now.metadata["generation"]), before.transactions.get(_GENERATION, 0)
        assert own > newest if now.metadata["kind"] == "generation" else own == newest, f"{now.metadata} on {newest}"

    def _take(self, before: Version, now: Version, moved: set[str]) -> None:
        """An epoch: contiguous (I2), forward (I3), whole (I5)."""
        rows = self._rows(now.added)
        ranges = {f"{PIPELINE}/{name}": each for name, each in json.loads(now.metadata["ranges"]).items()}
        assert moved == set(ranges)
        for name, each in ranges.items():
            assert each["start"] == _positions(before)[name], "not contiguous"
            assert each["next"] == _positions(now)[name] > each["start"]
            source = _source(name, now)
            places = tuple((source, at) for at in range(each["start"], each["next"]))
            assert each["read"] == sum(is_record(*place) for place in places)
            assert sum(rows.pop(place, 0) for place in places) == each["emitted"], "half an epoch"
            self._stretches.append(Stretch(places, each["emitted"], each["dropped"], each["rejected"]))
        assert not rows, f"rows outside the ranges: {rows}"

    def _check_reset(self, before: Version, now: Version) -> None:
        assert not now.added
        assert now.transactions[_EPOCH] == before.transactions.get(_EPOCH, 0) + 1
        if now.transactions[_IDENTITY] == before.transactions.get(_IDENTITY):
            assert all(at >= _positions(before).get(name, 0) for name, at in _positions(now).items()), "went back"

    def _check_files(self, before: Version, now: Version, kind: str, runtime: str | None) -> None:
        """Nobody removes another's files."""
        removed = [before.active[path] for path in now.removed]  # a path that was not active fails here
        if kind == "compaction":
            assert self._rows(now.added) == self._rows(removed)
        else:
            assert all(file.partition_values["_runtime"] == runtime == "batch" for file in removed)

    def _check_present(self) -> None:
        """I4, of both tables."""
        for uri, log in ((self._world.uri, self._table), (self._world.letters_uri, self._letters)):
            for path, file in log.versions[-1].active.items():
                found = Path(uri, path)
                assert found.exists(), f"{path} is gone"
                assert found.stat().st_size == file.size

    def _check_letters(self, before: Version, now: Version) -> None:
        self._check_fence(before, now)
        if now.metadata.get("runtime") == "streaming":
            removed = [before.active[path] for path in now.removed]
            assert all(file.partition_values["runtime"] == "streaming" for file in removed), "batch's letters removed"
            assert not removed or now.metadata["kind"] == "clean_up"
            self._world.seen["letters kept out of a mixed file"] += bool(removed and now.added)

    def _check_balance(self) -> None:
        """I1: each place of a committed range is in one of table, drops, dead letters, and nothing else is."""
        now = self._table.versions[-1]
        rows, counted = self._rows(now.active.values(), "streaming"), self.counted()
        assert all(times == 1 for times in (*rows.values(), *counted.values())), "doubled"
        assert not rows.keys() & counted.keys(), "both a row and a dead letter"
        for each in self._stretches:
            assert sum(place in rows for place in each.places) == each.emitted, f"rows of {each}: {sorted(rows)}"
            assert sum(place in counted for place in each.places) == each.rejected, f"letters of {each}: {counted}"
        assert len(rows) == sum(each.emitted for each in self._stretches)
        assert len(counted) == sum(each.rejected for each in self._stretches), "letters that nobody committed"
        assert self._counted.keys() <= counted.keys(), "letters that counted vanished"
        self._counted = counted

    def _counts(self, place: Place, now: Version) -> bool:
        partition, _, epoch = place[0].partition("@")
        opened = now.transactions.get(_EPOCH, 0)
        if int(epoch or 0) != opened:
            return int(epoch or 0) < opened
        return place[1] < now.transactions.get(f"{PIPELINE}/{partition}", 0)

    def _present(self) -> Counter[Place]:
        active = self._letters.versions[-1].active.items()
        paths = [path for path, file in active if file.partition_values["runtime"] == "streaming"]
        return Counter(place for path in paths for place in self._places(path))

    def _places(self, path: str) -> list[Place]:
        if path not in self._letters_in:
            rows = pq.ParquetFile(Path(self._world.letters_uri, path)).read(["source", "position"])
            self._letters_in[path] = list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        return self._letters_in[path]

    def _rows(self, files, runtime: str | None = None) -> Counter[Place]:
        found: Counter[Place] = Counter()
        for file in files:
            if runtime in (None, file.partition_values["_runtime"]):
                found.update(self._world.rows[file.path])
        return found


def _positions(version: Version) -> Mapping[str, int]:
    start = f"{PIPELINE}/{TOPIC}/"
    return {
        name: at
        for name, at in version.transactions.items()
        if name.startswith(start) and name.removeprefix(start).isdigit()
    }


def _source(name: str, version: Version) -> str:
    epoch = version.transactions.get(_EPOCH, 0)
    partition = name.removeprefix(f"{PIPELINE}/")
    return f"{partition}@{epoch}" if epoch else partition
