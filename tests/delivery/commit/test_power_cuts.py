"""Stories of streams, batch runs, upkeep and resets; the power is cut at every sync of each, and the tables are whole.

That these checks would notice is tested, too: with any one sync left out of the product, a cut does harm.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.support import power_cut_story as cut_story
from tests.support.power_cut import CUTS, Cut, cuts_of, left_by
from tests.support.power_cut_story import BELOW, LOGIC, Story, die_before_it_is_synced
from tests.support.sample_table import PIPELINE, day, event_rows, write_rows
from tests.support.upkeep import age_data, age_log, compact_events, compact_letters, hours_ago
from trivium.delivery.commit import committer
from trivium.delivery.commit.committer import commit
from trivium.delivery.commit.positions import Reset
from trivium.delivery.coverage.scope import Window
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.delta import checkpoint_write
from trivium.delivery.files.unit_markers import RunStore, UnitMarker
from trivium.delivery.maintenance import vacuum as maintenance_vacuum
from trivium.delivery.maintenance.log import checkpoint, clean_log, expired_log
from trivium.delivery.maintenance.vacuum import orphans, remove
from trivium.delivery.storage import local as storage_local
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import checkpoint_if_due

Telling = Callable[[Story], None]


def a_stream(story: Story) -> None:
    """Epochs with dead letters; runs that die between letters and rows, and before their entries are synced."""
    run = story.tell(lambda: story.tables().adopted())
    story.tell(lambda: run.run_epoch({"flights/0": (0, "eer"), "flights/1": (0, "d.e")}))
    die_before_it_is_synced(story, lambda: run.run_epoch({"flights/0": (3, "rr")}))
    run = story.tell(lambda: story.tables().start())
    die_before_it_is_synced(story, lambda: run.run_epoch({"flights/0": (3, "ed")}))
    run = story.tell(lambda: story.tables().start())
    story.tell(lambda: run.run_epoch({"flights/0": (5, "re"), "flights/1": (3, "e")}))


def a_reset(story: Story) -> None:
    """A new topic's position epoch, opened by an operator who dies, then by one who does not."""
    run = story.tell(lambda: story.tables().adopted())
    story.tell(lambda: run.run_epoch({"flights/0": (0, "er")}))

    def reset(identity: int) -> None:
        tables = story.tables()
        targets = dict.fromkeys(("flights/0", "flights/1"), 0)
        proposal = Reset(PIPELINE, tables.begin_stream().generation, targets, {"flights": identity})
        commit(tables.uri, proposal, tables.clock)

    die_before_it_is_synced(story, lambda: reset(4712), commits=3)
    story.tell(lambda: story.tables().start(epoch=1).run_epoch({"flights/0": (0, "re")}))
    story.tell(lambda: reset(4713))


def batch_runs(story: Story) -> None:
    """Runs that replace each other's rows and dead letters; one dies with its commit, one leaves a marker."""

    def run(identities: tuple[str, ...], letters: str) -> None:
        tables = story.tables()
        generation = tables.begin()
        dead_letters.remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, generation, tables.clock)
        files = write_rows(tables.uri, event_rows(dict.fromkeys(identities, day(0))))
        store = RunStore(Storage(tables.uri), Storage(tables.letters_uri), LOGIC)
        store.publish(UnitMarker("unit-1", generation, files))
        tables.append_letters(generation, [day(0).isoformat()], letters)
        tables.commit(tables.proposal(generation, files, Window(day(0), day(1)), (day(0).isoformat(),)))
        store.clear_spent(lambda number: number <= generation)

    story.tell(lambda: run(("a", "b"), "first"))
    die_before_it_is_synced(story, lambda: run(("a",), "second"), commits=4)
    story.tell(lambda: run(("a", "c"), "third"))


def another_engine(story: Story) -> None:
    """Spark or deltalake changes the table and syncs nothing; ours go on."""
    run = story.tell(lambda: story.tables().adopted())
    for number in range(2):
        story.tell(lambda at=number: run.run_epoch({"flights/0": (at, "e")}))
    story.tell_of_another_engine(DeltaTable(run.tables.uri).optimize.compact)
    story.tell_of_another_engine(lambda: DeltaTable(run.tables.uri).create_checkpoint())
    story.tell(lambda: run.run_epoch({"flights/0": (2, "e")}))
    properties = {"delta.logRetentionDuration": "interval 60 days"}
    story.tell_of_another_engine(lambda: DeltaTable(run.tables.uri).alter.set_table_properties(properties))
    story.tell(lambda: story.tables().start())


def upkeep(story: Story) -> None:
    """Compaction, checkpoints, the log's clean-up with its ledger, and vacuum; a checkpoint's writer dies."""
    run = story.tell(lambda: story.tables().adopted())
    for number in range(3):
        story.tell(lambda at=number: run.run_epoch({"flights/0": (2 * at, "er")}))
    tables = run.tables
    die_before_it_is_synced(story, lambda: compact_events(tables))
    cut_story.forget()
    story.tell(lambda: compact_letters(tables))
    story.tell(lambda: checkpoint(tables.letters_uri))
    story.dying(checkpoint_write, "_publish_hint", lambda: checkpoint(tables.uri))
    age_log(tables.uri, tables.snapshot.version, 100)
    story.tell(lambda: run.run_epoch({"flights/0": (6, "e")}))
    story.tell(lambda: checkpoint_if_due(tables.uri, every=1))
    age_data(tables.uri, 300)
    story.tell(lambda: clean_log(tables.uri, expired_log(Storage(tables.uri), hours_ago(48))))


def vacuum(story: Story) -> None:
    """What a dead compaction replaced is removed; its own entry was never synced."""
    run = story.tell(lambda: story.tables().adopted())
    for number in range(2):
        story.tell(lambda at=number: run.run_epoch({"flights/0": (at, "e")}))
    tables = run.tables
    die_before_it_is_synced(story, lambda: compact_events(tables))
    age_data(tables.uri, 300)
    age_log(tables.uri, tables.snapshot.version, 200)
    cut_story.forget()
    story.tell(lambda: remove(tables.uri, orphans(tables.uri, hours_ago(48), ())))


STORIES: tuple[Telling, ...] = (a_stream, a_reset, batch_runs, another_engine, upkeep, vacuum)
_GO_ON = 7  # costs as much as seven checks
FEW = tuple(each for each in CUTS if each.keeps in (0.0, 1.0))


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty folder in memory, where there is such a thing."""
    memory = "/dev/shm"
    folder = Path(tempfile.mkdtemp(prefix="trivium-", dir=memory if os.access(memory, os.W_OK) else None))
    yield folder
    shutil.rmtree(folder)


def _harm(telling: Telling, home: Path, cuts: tuple[Cut, ...], seeds: int = 1) -> tuple[int, str | None]:
    """Tell a story and cut its power until something does not hold; how many cuts that took, and what does not."""
    story = Story(home / "told")
    with story.disk:
        telling(story)
    return _first_harm(story, home, cuts, seeds)


def _first_harm(story: Story, home: Path, cuts: tuple[Cut, ...], seeds: int) -> tuple[int, str | None]:
    number = 0
    for seed in range(seeds):
        for moment, cut, left in cuts_of(story.moments, cuts, seed):
            number += 1
            try:
                cut_story.check(story, moment, left, home / "left")
                if number % _GO_ON == 0 and not cut_story.found_torn(story, moment, left):
                    cut_story.go_on(home / "left")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is harm
                return number, f"{cut.name}, with {moment.done} there to stay: {error!r}"
    return number, None


@pytest.mark.parametrize("telling", STORIES, ids=lambda each: each.__name__)
def test_a_cut_at_any_sync_leaves_whole_tables(telling: Telling, home: Path):
    number, harm = _harm(telling, home, FEW)
    assert harm is None
    assert number > 20


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("telling", STORIES, ids=lambda each: each.__name__)
def test_many_cuts_leave_whole_tables(telling: Telling, home: Path):
    number, harm = _harm(telling, home, CUTS, seeds=6)
    assert harm is None
    assert number > 100


def _close_without_sync(file: storage_local.LocalNewFile) -> None:
    file._file.close()  # noqa: SLF001
    storage_local._sync_directories({file._path.parent}, file._root)  # noqa: SLF001


def _rename_without_sync(files: storage_local.LocalFiles, old: str, new: str) -> None:
    (files._root / old).replace(files._root / new)  # noqa: SLF001


def _nothing(*_: object) -> None:
    pass


MUTANTS: tuple[tuple[str, Telling, object, str, Callable[..., None]], ...] = (
    ("no sync of files", a_stream, storage_local.LocalNewFile, "close", _close_without_sync),
    ("no sync of folders", a_stream, storage_local, "_sync_directories", _nothing),
    ("no sync of the folders above", a_stream, storage_local, "_sync_above", _nothing),
    ("no sync of what others wrote", a_stream, storage_local.LocalFiles, "sync", _nothing),
    ("no sync of our own entry", a_stream, committer, "make_own_durable", _nothing),
    ("no sync of the entry before", a_stream, committer, "make_durable", _nothing),
    ("no sync of another engine's entry", another_engine, committer, "make_durable", _nothing),
    ("no sync after a rename", upkeep, storage_local.LocalFiles, "rename", _rename_without_sync),
    ("no sync before vacuum", vacuum, maintenance_vacuum, "make_durable", _nothing),
)


@pytest.mark.parametrize(
    ("telling", "owner", "name", "mutant"), [each[1:] for each in MUTANTS], ids=[each[0] for each in MUTANTS]
)
def test_a_sync_that_is_left_out_is_noticed(
    telling: Telling, owner: object, name: str, mutant: Callable[..., None], home: Path, monkeypatch: pytest.MonkeyPatch
):
    story = Story(home / "told")
    with monkeypatch.context() as patched, story.disk:
        patched.setattr(owner, name, mutant)
        telling(story)
    assert _first_harm(story, home, CUTS, 1)[1] is not None


def test_a_checkpoint_and_its_hint_are_synced_in_this_order(home: Path):
    """A torn checkpoint is mended, so no cut shows that it was not synced: the order is looked at."""
    story = Story(home / "told")
    with story.disk:
        run = story.tell(lambda: story.tables().adopted())
        story.tell(lambda: checkpoint(run.tables.uri))
    log = f"{BELOW}/flights/_delta_log"
    name, hint = f"{log}/{run.tables.snapshot.version:020}.checkpoint.parquet", f"{log}/_last_checkpoint"
    lasting = [left_by(moment, CUTS[0], random.Random(0)) for moment in story.moments]
    assert any(hint in left for left in lasting)
    for left in lasting:
        assert hint not in left or left.get(name) == story.bytes[name]
