from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest

from trivium.delivery import errors
from trivium.delivery.storage.local import LocalFiles
from trivium.delivery.storage.storage import Storage


def test_another_scheme_is_refused_and_the_supported_ones_are_named():
    with pytest.raises(errors.StorageError, match=r"gs.*not supported.*file://.*s3://"):
        Storage("gs://bucket/table")


def test_a_file_uri_and_a_plain_path_are_the_same_storage(tmp_path: Path):
    Storage(f"file://{tmp_path}").create("a/b", b"x")
    assert Storage(str(tmp_path)).read("a/b") == b"x"


def test_a_name_is_used_once(tmp_path: Path):
    storage = Storage(str(tmp_path))
    storage.create("a", b"first")
    with pytest.raises(errors.StorageError, match="names are used once"):
        storage.create("a", b"second")
    assert storage.read("a") == b"first"


def test_a_streamed_file_that_fails_leaves_nothing(tmp_path: Path):
    storage = Storage(str(tmp_path))
    with pytest.raises(TypeError), storage.open_new("a") as file:
        file.write("text")
    assert storage.list() == []


def test_publish_replaces_whole_and_leaves_no_temporary(tmp_path: Path):
    storage = Storage(str(tmp_path))
    storage.publish("m/1.json", b"old")
    storage.publish("m/1.json", b"new")
    assert [(file.path, file.size) for file in storage.list("m")] == [("m/1.json", 3)]
    assert storage.read("m/1.json") == b"new"


def test_listing_nothing_and_removing_nothing_are_fine(tmp_path: Path):
    storage = Storage(str(tmp_path / "absent"))
    storage.remove("x")
    assert storage.list("y") == []
    assert storage.stat("x") is None


def test_a_path_outside_the_root_is_refused(tmp_path: Path):
    with pytest.raises(errors.StorageError, match="below the root"):
        Storage(str(tmp_path)).read("../secret")


@pytest.mark.parametrize(("code", "advice"), [(errno.ENOSPC, "free some space"), (errno.EACCES, "permission")])
def test_a_full_or_forbidden_volume_is_named_with_advice(tmp_path: Path, monkeypatch, code: int, advice: str):
    def refuse(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(errors.StorageError, match=advice) as caught:
        Storage(str(tmp_path)).create("data.parquet", b"x")
    assert "data.parquet" in str(caught.value)


def test_writing_to_a_full_device_is_a_storage_error(tmp_path: Path):
    file = LocalFiles(tmp_path).open_new("fresh")
    file._file.close()  # noqa: SLF001 - the only way to a full disk without root
    with Path("/dev/full").open("wb", buffering=0) as full:
        file._file = full  # noqa: SLF001
        with pytest.raises(errors.StorageError, match="free some space"):
            file.write(b"x" * 100)


def test_every_error_survives_pickling():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in kinds:
        copy = pickle.loads(pickle.dumps(kind("expected a, got b")))
        assert type(copy) is kind
        assert str(copy) == "expected a, got b"


def test_a_publish_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch):
    storage = Storage(str(tmp_path))
    storage.publish("m.json", b"old")

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(errors.StorageError):
        storage.publish("m.json", b"new")
    assert [(file.path, storage.read(file.path)) for file in storage.list()] == [("m.json", b"old")]


def test_what_is_no_regular_file_is_not_there(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.parquet")
    (tmp_path / "zero.parquet").symlink_to("/dev/zero")
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "file.parquet").write_bytes(b"x")
    storage = Storage(str(tmp_path))
    assert [file.path for file in storage.list("")] == ["file.parquet"]
    assert storage.stat("pipe.parquet") is None
    assert storage.stat("zero.parquet") is None


def test_a_file_is_found_or_there_is_none(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.create("a/b", b"content")
    assert storage.find("a/b") == b"content"
    assert storage.find("a/c") is None
    with pytest.raises(errors.StorageError, match="outside"):
        storage.find("../outside")
