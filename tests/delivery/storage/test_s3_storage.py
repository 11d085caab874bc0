"""Promises of `Storage`, for a folder and for a bucket alike, and named errors for wrong answers of a bucket."""

from __future__ import annotations

import socket
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.s3_server import VARIABLES, Bucket, Fault, UnreliableProxy
from trivium.delivery.errors import StorageError
from trivium.delivery.storage import s3_access
from trivium.delivery.storage.storage import Storage
from trivium.delivery.storage.token import prove_shared, remove_token, write_token


@pytest.fixture(params=["folder", "bucket", "bucket itself"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Storage(str(tmp_path))
    s3: Bucket = request.getfixturevalue("s3")
    return Storage(s3.uri if request.param == "bucket itself" else f"{s3.uri}/some where/ü")


def test_what_is_created_is_read_listed_and_removed(storage: Storage):
    storage.create("day=2026-01-01/b.parquet", b"one")
    storage.create("day=2026-01-01/a.parquet", b"")
    storage.create("z", b"three")
    listed = storage.list()
    assert [(file.path, file.size) for file in listed] == [
        ("day=2026-01-01/a.parquet", 0),
        ("day=2026-01-01/b.parquet", 3),
        ("z", 5),
    ]
    assert listed == [storage.stat(file.path) for file in listed], "a listing and a look disagree"
    assert storage.list("day=2026-01-01") == listed[:2]
    assert storage.read("day=2026-01-01/b.parquet") == b"one"
    for file in listed:
        storage.remove(file.path)
    assert storage.list() == []


def test_listing_nothing_and_removing_nothing_are_fine(storage: Storage):
    storage.remove("x")
    assert storage.list("y") == []
    assert storage.stat("x") is None


def test_publish_replaces_whole_and_leaves_nothing_beside(storage: Storage):
    storage.publish("m/1.json", b"old")
    storage.publish("m/1.json", b"newer")
    assert [(file.path, storage.read(file.path)) for file in storage.list()] == [("m/1.json", b"newer")]


def test_a_name_changes_nothing_about_the_bytes(storage: Storage):
    storage.create("created.jsonl.gz", b"as given")
    storage.publish("published.jsonl.gz", b"as given")
    assert [storage.read(file.path) for file in storage.list()] == [b"as given"] * 2
    with storage.open("created.jsonl.gz") as opened:
        assert opened.read() == b"as given"


def test_a_renamed_file_has_one_name(storage: Storage):
    storage.create("a/old", b"x")
    storage.rename("a/old", "a/new")
    storage.sync("a/new")
    assert [(file.path, storage.read(file.path)) for file in storage.list()] == [("a/new", b"x")]


def test_a_streamed_file_that_fails_leaves_nothing(storage: Storage):
    file = storage.open_new("big")
    file.write(b"x" * (11 << 20))  # more than one part of an upload
    with pytest.raises(TypeError), file:
        file.write("text")
    assert storage.list() == []


def test_a_large_parquet_file_streams_through(storage: Storage):
    rows = pa.table({"n": pa.array(range(2_000_000), pa.int64())})
    with storage.open_new("n.parquet") as file, pq.ParquetWriter(file, rows.schema, compression="none") as writer:
        writer.write_table(rows, row_group_size=500_000)
    with storage.open("n.parquet") as opened:
        assert pq.read_table(opened).equals(rows)


def test_a_file_that_is_not_there_is_said(storage: Storage):
    with pytest.raises(StorageError, match=r"cannot read .*absent.*Try: "):
        storage.read("absent")


def test_the_token_proves_shared_storage(s3: Bucket):
    token = write_token(f"{s3.uri}/table")
    prove_shared(token, "node-1")
    remove_token(token)
    assert Storage(f"{s3.uri}/table").list() == []


@pytest.mark.parametrize(
    "uri", ["s3://bucket/../x", "s3://UPPER/x", "s3://key:secret@bucket/x", "s3://b/x", "gs://b/x"]
)
def test_what_is_no_s3_location_is_refused(uri: str):
    with pytest.raises(StorageError, match="s3://bucket/prefix"):
        Storage(uri)


def test_a_bucket_that_is_not_there_is_said_by_every_method(s3: Bucket):
    storage = Storage("s3://no-such-bucket/table")
    for call in (lambda: storage.create("a", b"x"), storage.list, lambda: storage.publish("a", b"x")):
        with pytest.raises(StorageError, match=r"s3://no-such-bucket/table.*NO_SUCH_BUCKET.*create the bucket"):
            call()


@pytest.mark.parametrize("method", ["PUT", "HEAD", "GET"])
def test_a_refusal_names_the_object_and_no_secret(s3: Bucket, proxy: UnreliableProxy, method: str):
    def touch() -> None:
        if method == "PUT":
            storage.create("a", b"x")
        storage.read("a")

    storage = Storage(f"{s3.uri}/table")
    storage.create("a", b"longer than what the refusal says" * 99)
    proxy.arm(method, "table/a", Fault.FORBIDDEN, times=9)
    with pytest.raises(StorageError, match=rf"{s3.uri}/table/a: ACCESS_DENIED.*allow these credentials") as caught:
        touch()
    assert VARIABLES["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


def test_a_server_that_is_not_there_is_said(s3: Bucket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(s3_access, "_ARROW_ATTEMPTS", 2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        s3.point_at(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(StorageError, match=r"NETWORK_CONNECTION.*AWS_ENDPOINT_URL"):
            Storage(s3.uri).stat("a")


def test_a_store_that_is_busy_for_a_while_is_waited_for(s3: Bucket, proxy: UnreliableProxy):
    proxy.arm("PUT", "/a", Fault.BUSY, times=2)
    proxy.arm("HEAD", "/a", Fault.BUSY, times=2)
    proxy.arm("GET", "/a", Fault.BUSY, times=2)
    Storage(s3.uri).create("a", b"x")
    assert Storage(s3.uri).read("a") == b"x"
    assert proxy.disarmed


def test_a_publish_that_fails_leaves_the_old_object(s3: Bucket, proxy: UnreliableProxy):
    storage = Storage(s3.uri)
    storage.publish("m.json", b"old")
    proxy.arm("PUT", "m.json", Fault.FORBIDDEN)
    with pytest.raises(StorageError):
        storage.publish("m.json", b"new")
    assert storage.read("m.json") == b"old"


def test_options_for_the_log_hold_no_secret_and_follow_the_endpoint(s3: Bucket):
    options = s3_access.storage_options("s3://bucket/x")
    assert VARIABLES["AWS_SECRET_ACCESS_KEY"] not in options.values()
    assert (options["AWS_ENDPOINT_URL"], options["AWS_ALLOW_HTTP"]) == (s3.server.url, "true")
    s3.point_at("https://store.example")
    assert "AWS_ALLOW_HTTP" not in s3_access.storage_options("s3://bucket/x")
    assert s3_access.storage_options("/a/folder") == {}
