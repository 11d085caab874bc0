"""Tables on S3: the same commits, and connections that break at the worst moment."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pyarrow as pa
import pytest
from deltalake import CommitProperties
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from tests.support.proposals import Append
from tests.support.s3_server import Fault, Seen, UnreliableProxy
from tests.support.sample_table import AUTHOR, PIPELINE, S3Tables, day, event_rows, write_rows
from trivium.core.clock import SystemClock
from trivium.delivery.commit.claims import claim_generation
from trivium.delivery.commit.committer import Landed, commit
from trivium.delivery.coverage.scope import Scope
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.delta.handle import store_errors
from trivium.delivery.delta.log_check import check_log
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import StorageError
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.unit_markers import RunStore, UnitMarker
from trivium.delivery.merge import query as merge
from trivium.delivery.storage import s3_access
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import checkpoint_if_due, events_table, open_table

ENTRY = r"flights/_delta_log/0{10}"


def _append(tables: S3Tables, name: str = "a") -> Append:
    return Append(write_rows(tables.uri, event_rows({name: day(0)}), "streaming"))


def _entries(tables: S3Tables) -> list[str]:
    return [file.path for file in Storage(tables.uri).list("_delta_log") if file.path.endswith(".json")]


def test_runs_replace_their_partitions_and_their_dead_letters(s3_tables: S3Tables):
    s3_tables.run({"a": day(0), "b": day(1)}, delay=1)
    generation = s3_tables.begin()
    s3_tables.append_letters(generation, ["2026-01-01"])
    files = write_rows(s3_tables.uri, event_rows({"a": day(0)}, delay=2))
    s3_tables.commit(s3_tables.proposal(generation, files, days=("2026-01-01",)))
    assert s3_tables.content() == {"a": 2}
    assert dead_letters.read(s3_tables.letters_uri, s3_tables.uri).num_rows == 1
    assert merge.read(s3_tables.uri)["event_id"].to_pylist() == ["a"]
    assert Snapshot.at(s3_tables.uri, 2).table.to_pyarrow_table().num_rows == 2, "time travel"


def test_a_new_column_is_added_and_a_checkpoint_is_written(s3_tables: S3Tables):
    s3_tables.run({"a": day(0)})
    wider = events_table(s3_tables.uri, PIPELINE, AUTHOR.append(pa.field("more", pa.string())), ["event_date"])
    assert "more" in [field.name for field in open_table(wider).schema.fields]
    checkpoint_if_due(s3_tables.uri, every=1)
    assert Storage(s3_tables.uri).stat("_delta_log/_last_checkpoint")
    assert s3_tables.content() == {"a": 0}


def test_a_torn_entry_that_was_copied_there_is_moved_aside(s3_tables: S3Tables):
    s3_tables.run({"a": day(0)})
    whole = s3_tables.snapshot.version
    Storage(s3_tables.uri).publish(f"_delta_log/{whole + 1:020}.json", b"")
    (moved,) = check_log(s3_tables.uri)
    assert Storage(s3_tables.uri).stat(moved)
    assert s3_tables.snapshot.version == whole


def test_markers_of_finished_units_count_while_their_files_are_there(s3_tables: S3Tables):
    storage = Storage(s3_tables.uri)
    store = RunStore(storage, Storage(s3_tables.letters_uri), "logic")
    files = write_rows(s3_tables.uri, event_rows({"a": day(0)}))
    store.publish(UnitMarker("u1", 5, files))
    store.publish(UnitMarker("u2", 5, (msgspec.structs.replace(files[0], path="event_date=2026-01-01/gone.parquet"),)))
    assert list(store.load(lambda _: False)) == ["u1"]
    assert store.clear_spent(lambda _: True) == 2
    assert storage.list("_trivium/runs") == []


@pytest.mark.parametrize(
    ("fault", "attempts"), [(Fault.RESPONSE_LOST, 2), (Fault.BUSY_AFTER_ALL, 2), (Fault.NEVER_SENT, 1)]
)
def test_a_commit_the_library_sends_again_lands_once(
    s3_tables: S3Tables, proxy: UnreliableProxy, fault: Fault, attempts: int
):
    """The library repeats the put. Where the first one landed the second answers 412, as if another writer had won."""
    proposal = _append(s3_tables)
    proxy.arm("PUT", ENTRY, fault)
    landed = commit(s3_tables.uri, proposal, s3_tables.clock)
    assert (landed.attempts, len(_puts(proxy))) == (attempts, 2)
    assert [put.status for put in _puts(proxy)][1] == (412 if attempts == 2 else 200)
    _landed_once(s3_tables, proxy, landed)


@pytest.mark.parametrize("lost", [1, 0], ids=["answered, nobody heard", "never sent"])
def test_a_commit_nobody_knows_the_outcome_of_lands_once(
    s3_tables: S3Tables, proxy: UnreliableProxy, monkeypatch, lost: int
):
    """The connection is gone for longer than the library's patience; what the client sees is the same."""
    monkeypatch.setitem(s3_access._DELTA_OPTIONS, "max_retries", "1")  # noqa: SLF001 - patience is no setting
    proposal = _append(s3_tables)
    proxy.arm("PUT", ENTRY, Fault.RESPONSE_LOST, times=lost)
    proxy.arm("PUT", ENTRY, Fault.NEVER_SENT, times=2 - lost)
    landed = commit(s3_tables.uri, proposal, s3_tables.clock)
    assert landed.attempts == 2
    assert len(_puts(proxy)) == (2 if lost else 3), "the second attempt is to put only what is not there"
    _landed_once(s3_tables, proxy, landed)


def _puts(proxy: UnreliableProxy) -> list[Seen]:
    return [seen for seen in proxy.seen if seen.method == "PUT" and "_delta_log" in seen.path]


def _landed_once(tables: S3Tables, proxy: UnreliableProxy, landed: Landed) -> None:
    assert proxy.disarmed, "the commit never met the fault"
    assert {seen.condition for seen in _puts(proxy)} == {"*"}, "a commit was put without a condition"
    assert landed.version == tables.snapshot.version == 1
    assert tables.content() == {"a": 0}
    assert len(_entries(tables)) == 2


def test_a_store_that_is_busy_for_a_while_delays_a_commit(s3_tables: S3Tables, proxy: UnreliableProxy):
    proposal = _append(s3_tables)
    proxy.arm("PUT", ENTRY, Fault.BUSY, times=3)
    proxy.arm("GET", "_delta_log", Fault.BUSY, times=2)
    before = s3_tables.snapshot.version
    assert commit(s3_tables.uri, proposal, s3_tables.clock) == Landed(before + 1, 1)
    assert proxy.disarmed
    assert s3_tables.content() == {"a": 0}


def test_of_two_handles_on_one_version_exactly_one_commits(s3_tables: S3Tables):
    handles = [Snapshot.latest(s3_tables.uri) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(_bare_commit, handles))
    assert sorted(ends) == ["landed", "lost", "lost", "lost"]
    assert s3_tables.snapshot.version == handles[0].version + 1


def _bare_commit(snapshot: Snapshot) -> str:
    try:
        snapshot.table.create_write_transaction(
            [],
            mode="append",
            schema=snapshot.schema,
            partition_by=snapshot.partition_columns,
            commit_properties=CommitProperties(max_commit_retries=0),
        )
    except CommitFailedError:
        return "lost"
    return "landed"


def test_committers_that_race_all_land_and_no_row_is_doubled(s3_tables: S3Tables):
    def add(name: str) -> Landed:
        return commit(s3_tables.uri, _Named(name, _append(s3_tables, name).files), SystemClock())

    with ThreadPoolExecutor(3) as pool:
        landed = list(pool.map(add, ["a", "b", "c"]))
    assert len({each.version for each in landed}) == 3
    assert s3_tables.content() == {"a": 0, "b": 0, "c": 0}


class _Named(Append):
    """An append with a transaction of its own."""

    def __init__(self, name: str, files: tuple[DataFile, ...]) -> None:
        super().__init__(files)
        self._name = name

    def change(self, snapshot: Snapshot):
        return replace(super().change(snapshot), transactions={self._name: 1})

    def landed(self, snapshot: Snapshot) -> bool:
        return snapshot.transaction(self._name) == 1


def test_generations_fence_on_s3_too(s3_tables: S3Tables):
    clock = s3_tables.clock
    taken = [
        claim_generation(s3_tables.uri, s3_tables.letters_uri, PIPELINE, Scope(None, frozenset({"a"})), clock)
        for _ in range(2)
    ]
    assert taken[1] == taken[0] + 1


def test_the_log_says_what_the_entry_holds(s3_tables: S3Tables):
    s3_tables.run({"a": day(0)})
    lines = Storage(s3_tables.uri).read(_entries(s3_tables)[-1]).splitlines()
    info = next(json.loads(line)["commitInfo"] for line in lines if b"commitInfo" in line)
    assert json.loads(info["trivium_actions"])["add"] == 1


@pytest.mark.parametrize(
    ("fault", "says"), [(Fault.FORBIDDEN, "ACCESS_DENIED.*allow these credentials"), (Fault.BUSY, "SLOW_DOWN|busy")]
)
def test_a_table_that_cannot_be_opened_says_why_in_one_line(
    s3_tables: S3Tables, proxy: UnreliableProxy, monkeypatch, fault: Fault, says: str
):
    monkeypatch.setitem(s3_access._DELTA_OPTIONS, "max_retries", "1")  # noqa: SLF001 - patience is no setting
    proxy.arm("GET", "_delta_log", fault, times=40)
    with pytest.raises(StorageError, match=says) as caught:
        Snapshot.latest(s3_tables.uri)
    assert s3_tables.uri in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_said_before_anything_is_written():
    spec = events_table("s3://no-such-bucket/flights", PIPELINE, AUTHOR, ["event_date"])
    with pytest.raises(StorageError, match=r"no-such-bucket.*NO_SUCH_BUCKET.*create the bucket"):
        open_table(spec)
    with pytest.raises(StorageError, match=r"no-such-bucket.*NO_SUCH_BUCKET.*create the bucket"):
        Snapshot.find(spec.uri)


@pytest.mark.parametrize(
    "said",
    [
        "Kernel error -> Operation not supported\n  \x1b[31m↳\x1b[0m an error occurred while loading credentials",
        "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 14ms - 403 Forbidden: no",
    ],
)
def test_missing_credentials_are_said(said: str):
    with pytest.raises(StorageError, match=r"^table s3://b/t: no credentials were found.*check AWS_ACCESS_KEY_ID"):
        _raise_within("s3://b/t", OSError(said))


def test_an_error_of_the_table_itself_passes():
    with pytest.raises(TableNotFoundError):
        _raise_within("s3://b/t", TableNotFoundError("No files in log segment"))


def _raise_within(uri: str, error: Exception) -> None:
    with store_errors(uri):
        raise error
