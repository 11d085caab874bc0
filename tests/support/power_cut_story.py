"""Stories of two tables before their power is cut, and what has to hold of whatever the cut leaves.

A story is told on a `Disk`, step by step, by the code under test. What each version of a table holds is worked out
from its log's entries alone, so a table that a cut leaves can be compared with the version it says it is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.support.power_cut import Disk, Left, Moment, put
from tests.support.sample_table import day
from tests.support.stream_table import StreamTables
from tests.support.upkeep import ranges_are_contiguous
from trivium.delivery.commit import committer
from trivium.delivery.coverage.documents import CoverageReader
from trivium.delivery.delta import durability
from trivium.delivery.delta import handle as delta_handle
from trivium.delivery.delta.entry import entry_path, parse_entry
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.delta.state import newest
from trivium.delivery.files.unit_markers import RunStore
from trivium.delivery.maintenance import ledger
from trivium.delivery.storage import local as storage_local
from trivium.delivery.storage.storage import Storage

LOGIC = "l1"
BELOW = "data/of/pipelines"
"""The folder of the tables; none of it is there before the story."""


class FoundTables(StreamTables):
    """The two tables as they are; nothing is made or opened."""

    def __post_init__(self) -> None:
        pass


class Died(BaseException):
    """The process is gone; nothing that catches errors catches it."""


@dataclass(frozen=True)
class Version:
    """What a version holds: the sizes of its files by path, and its transactions."""

    active: Mapping[str, int]
    transactions: Mapping[str, int]


@dataclass
class Story:
    """Two tables below `home`, told on a disk.

    `entries` are the log's entries of each table, `bytes` all files ever seen, `shown` what readers are shown beside
    the rows at each version of the table, `done` the versions of both that had to be there when the last step ended.
    """

    home: Path
    entries: dict[str, dict[int, bytes]] = field(default_factory=dict)
    bytes: dict[str, bytes] = field(default_factory=dict)
    shown: dict[int, Any] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        self.disk = Disk(self.home, lambda: dict(self.done))

    @property
    def moments(self) -> list[Moment]:
        return self.disk.moments

    def tables(self) -> StreamTables:
        """The tables, opened by a process that remembers nothing; in folders that were not there."""
        forget()
        return StreamTables(self.home / BELOW)

    def tell(self, step: Callable[[], Any]) -> Any:
        """Take a step; what it committed has to last. One that dies, or another engine's, has not to."""
        lasting = True
        try:
            return step()
        except Died:
            lasting = False
        finally:
            self.disk.moment()
            self._take_notes(lasting)

    def tell_of_another_engine(self, step: Callable[[], Any]) -> None:
        """Take a step that promises nothing."""
        step()
        self.disk.moment()
        self._take_notes(lasting=False)

    def dying(self, module: Any, name: str, step: Callable[[], Any], times: int = 1) -> None:
        """Take a step whose process dies where it calls `module.name` for the given time."""
        real, calls = getattr(module, name), Counter[str]()

        def die(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            if calls[name] == times:
                raise Died
            return real(*arguments, **options)

        setattr(module, name, die)
        try:
            self.tell(step)
        finally:
            setattr(module, name, real)
        assert calls[name] >= times, f"{name} was not called {times} times"

    def version(self, name: str, number: int) -> Version:
        """What a version holds, from the entries up to it."""
        active: dict[str, int] = {}
        transactions: dict[str, int] = {}
        for at in range(number + 1):
            for line in map(json.loads, self.entries[name][at].splitlines()):
                if "add" in line:
                    active[unquote(line["add"]["path"])] = line["add"]["size"]
                elif "remove" in line:
                    active.pop(unquote(line["remove"]["path"]), None)
                elif "txn" in line:
                    transactions[line["txn"]["appId"]] = line["txn"]["version"]
        return Version(active, transactions)

    def _take_notes(self, lasting: bool) -> None:
        for path in self.home.rglob("*"):
            if path.is_file():
                self.bytes.setdefault(path.relative_to(self.home).as_posix(), path.read_bytes())
        tables = FoundTables(self.home / BELOW)
        for uri in (tables.uri, tables.letters_uri):
            known = self.entries.setdefault(Path(uri).name, {})
            before = len(known)
            for path in Path(uri, "_delta_log").glob("*.json"):
                known.setdefault(int(path.stem), path.read_bytes())
            if lasting and len(known) > before:
                self.done[Path(uri).name] = max(known)
        if len(self.entries) == 2 and all(self.entries.values()):
            self.shown[max(self.entries["flights"])] = _shown(tables)


def forget() -> None:
    """Forget all that a process remembers of tables: from here on it is another one."""
    durability._known.clear()  # noqa: SLF001
    delta_handle._checked.clear()  # noqa: SLF001
    newest._kept.clear()  # noqa: SLF001
    storage_local._led_to.clear()  # noqa: SLF001


def die_before_it_is_synced(story: Story, step: Callable[[], Any], commits: int = 1) -> None:
    """Take a step that dies right after the given commit of its landed."""
    story.dying(committer, "make_own_durable", step, commits)


def check(story: Story, moment: Moment, left: Left, folder: Path) -> dict[str, int | None]:
    """Check what a cut left, as readers find it; returns the version of each table.

    Raises:
        AssertionError: something does not hold.
        Exception: whatever the product says of it.
    """
    forget()
    put(left, folder)
    tables = FoundTables(folder / BELOW)
    names = {Path(uri).name: uri for uri in (tables.uri, tables.letters_uri)}
    found = {name: _check_there(moment, name, uri) for name, uri in names.items()}
    if found_torn(story, moment, left):
        return found
    for name, version in found.items():
        if version is not None:
            _check_version(story, name, names[name], version)
    if None not in found.values():
        shown = story.shown.get(found["flights"])
        assert shown is None or _shown(tables) == shown, "other dead letters count, or other days are covered"
        _check_markers(story, tables, folder)
    return found


def _shown(tables: StreamTables) -> Any:
    """The dead letters that count, and what batch has covered."""
    covered = CoverageReader(tables.uri, tables.snapshot)
    return tables.counted_letters(), covered.of_days(tables.snapshot.event_days()), covered.source_days()


def _check_there(moment: Moment, name: str, uri: str) -> int | None:
    snapshot, least = Snapshot.find(uri), moment.done.get(name, -1)
    if snapshot is None:
        assert least < 0, f"{name} is gone; version {least} was there to stay"
        return None
    assert snapshot.version >= least, f"{name} is at {snapshot.version}; version {least} was there to stay"
    return snapshot.version


def _check_version(story: Story, name: str, uri: str, version: int) -> None:
    """The table holds all of what its version held when the story was told, and nothing else."""
    snapshot, wanted = Snapshot.latest(uri), story.version(name, version)
    assert {path: file.size for path, file in snapshot.active.items()} == wanted.active, "another version's files"
    assert {each: snapshot.transaction(each) for each in wanted.transactions} == wanted.transactions
    for path in wanted.active:
        assert Path(uri, path).exists(), f"{path} is gone"
        assert Path(uri, path).read_bytes() == story.bytes[f"{BELOW}/{name}/{path}"], f"{path} is torn"
    kept = [one.version for one in ledger.commits(uri)]
    assert kept == list(range(version + 1)), f"log and ledger know {kept} of {version}"


def found_torn(story: Story, moment: Moment, left: Left) -> bool:
    """Say whether a commit of another engine is torn, or a file that it adds, and nobody had built on it yet.

    Such engines do not say how many lines an entry has, and sync no file before it. That is theirs to mend.
    """
    for name, entries in story.entries.items():
        for version, content in entries.items():
            paths = [*parse_entry(content).foreign_files, entry_path(version)]
            below = [f"{BELOW}/{name}/{path}" for path in paths]
            repeated = any(path.startswith(f"{BELOW}/{name}/_delta_log/") and ".checkpoint." in path for path in left)
            open_to_cuts = len(paths) > 1 and version > moment.done.get(name, -1)
            if (
                open_to_cuts
                and (below[-1] in left or repeated)
                and any(left.get(path) != story.bytes[path] for path in below)
            ):
                return True
    return False


def _check_markers(story: Story, tables: StreamTables, folder: Path) -> None:
    store = RunStore(Storage(tables.uri), Storage(tables.letters_uri), LOGIC)
    for marker in store.load(lambda _: False).values():
        for uri, files in ((tables.uri, marker.files), (tables.letters_uri, marker.rejects)):
            for file in files:
                path = Path(uri, file.path)
                assert path.read_bytes() == story.bytes[path.relative_to(folder).as_posix()], "a torn unit is resumed"


def go_on(folder: Path) -> None:
    """Go on after a cut: a start gets through, removes what does not count, and an epoch and a batch run land."""
    forget()
    tables = StreamTables(folder / BELOW)
    run = tables.begin_stream(epoch=tables.positions().epochs["flights"])
    run.clean_up()
    streaming = Counter({each: n for each, n in tables.all_letters().items() if each[0].startswith("flights/")})
    assert streaming <= tables.counted_letters(), "letters that do not count outlived a start"
    positions = {name: at for name, at in tables.positions().next.items() if at is not None}
    if len(positions) < len(run.partitions):
        run.adopt({name: 0 for name in run.partitions if name not in positions})
    run.run_epoch({"flights/0": (positions.get("flights/0", 0), "ere")})
    tables.run({"z": day(5)})
    assert tables.content()["z"] == 0
    if not tables.positions().epochs["flights"]:
        ranges_are_contiguous(tables.uri)
