"""Files below a prefix of an S3 bucket.

A put is atomic and durable once answered, so nothing is written aside, renamed into place or synced. It is not
exclusive: Arrow offers no condition on a put. It needs none: every name that is created has a random part of 64 bits
or more, so nobody else puts to it. Only Delta's log is raced for, and deltalake puts that under a condition itself.

What S3 cannot do: an abandoned file is visible, cut off, between its end and its removal, under a name no log holds; a
killed writer leaves parts of an upload that only a lifecycle rule of the bucket (AbortIncompleteMultipartUpload) ends.
Times are whole seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import pyarrow as pa
from pyarrow.fs import FileSelector

from trivium.delivery.errors import StorageError
from trivium.delivery.storage.files import NewFile, StoredFile
from trivium.delivery.storage.s3_access import file_system
from trivium.delivery.storage.s3_errors import explain

_READ_AHEAD_BYTES: Final = 8 << 20
_SHORT_READS: Final = 4


@contextmanager
def _translated(action: str, path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise StorageError(f"cannot {action} s3://{path}: {explain(error)}") from error


class S3NewFile(NewFile):
    """A new object: one put when it is small, else a multipart upload; whole and durable once closed."""

    def __init__(self, path: str) -> None:
        self._path = path
        with _translated("create", path):
            self._stream = _output(path)

    @property
    def closed(self) -> bool:
        """True once nothing more can be written."""
        return bool(self._stream.closed)

    def write(self, data: bytes) -> int:
        """Append `data`; a full part is uploaded in the background."""
        with _translated("write", self._path):
            return int(self._stream.write(data))

    def flush(self) -> None:
        """Do nothing: waiting for parts in flight would only cost time, and no part is visible."""

    def tell(self) -> int:
        """Return the bytes written so far."""
        return int(self._stream.tell())

    def close(self) -> None:
        """Put the object, or complete its upload."""
        if self._stream.closed:
            return
        with _translated("write", self._path):
            self._stream.close()

    def abandon(self) -> None:
        """Remove the object. Arrow cannot abort an upload, so it is ended first."""
        with suppress(OSError, pa.ArrowException):  # an upload that cannot be ended never becomes an object
            self._stream.close()
        with _translated("remove", self._path), suppress(FileNotFoundError):
            file_system().delete_file(self._path)


class S3Files:
    """The S3 side of `Storage`; its docstrings hold here."""

    read_ahead_bytes = _READ_AHEAD_BYTES
    durable_once_written = True

    def __init__(self, bucket: str, prefix: str) -> None:
        self._root = f"{bucket}/{prefix}".rstrip("/")

    def put_new(self, path: str, data: bytes, modified_us: int) -> None:
        """Refuse: Arrow has no conditional puts."""
        message = (
            f"S3 {self._at(path)}: a put that loses against another ({len(data)} bytes, {modified_us}): Arrow has none"
        )
        raise StorageError(f"{message}. Try: a commit through deltalake")

    def open_new(self, path: str) -> S3NewFile:
        """Open a new object to stream into."""
        return S3NewFile(self._at(path))

    def open(self, path: str) -> pa.NativeFile:
        """Open an existing object for reading."""
        with _translated("read", self._at(path)):
            return file_system().open_input_file(self._at(path))

    def read(self, path: str) -> bytes:
        """Read all bytes of an object."""
        with _translated("read", self._at(path)):
            return _read_whole(self._at(path))

    def stat(self, path: str) -> StoredFile | None:
        """Return the object's size and time."""
        with _translated("look at", self._at(path)):
            found = file_system().get_file_info(self._at(path))
        return StoredFile(path, found.size, _seconds(found.mtime_ns)) if found.is_file else None

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects directly below a folder."""
        with _translated("list", self._at(folder)):
            found = file_system().get_file_info(FileSelector(self._at(folder), allow_not_found=True))
        return sorted(one.base_name for one in found if one.is_file)

    def list(self, prefix: str) -> list[StoredFile]:
        """List all objects below a folder."""
        with _translated("list", self._at(prefix)):
            try:
                found = file_system().get_file_info(FileSelector(self._at(prefix), recursive=True))
            except FileNotFoundError:
                return []
        start = len(self._root) + 1
        files = [StoredFile(one.path[start:], one.size, _seconds(one.mtime_ns)) for one in found if one.is_file]
        return sorted(files, key=lambda file: file.path.split("/"))

    def remove(self, path: str) -> None:
        """Remove an object."""
        with _translated("remove", self._at(path)), suppress(FileNotFoundError):
            file_system().delete_file(self._at(path))

    def publish(self, path: str, data: bytes) -> None:
        """Put the object: readers get the old or the new one. A put that fails leaves the old; nothing is removed."""
        with _translated("write", self._at(path)), _output(self._at(path)) as stream:
            stream.write(data)

    def rename(self, old: str, new: str) -> None:
        """Copy, then remove: killed in between, both names are there."""
        with _translated("rename", self._at(old)):
            file_system().move(self._at(old), self._at(new))

    def make_root(self) -> None:
        """Do nothing: a bucket has no folders."""

    def sync(self, paths: Sequence[str]) -> None:
        """Do nothing: what was put is durable."""

    @contextmanager
    def hold(self, folder: str) -> Iterator[None]:
        """Keep nobody out: a bucket has no locks, and what is put is never torn."""
        yield

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/")


def _output(path: str) -> pa.NativeFile:
    """Open a stream of the very bytes that are written: by default Arrow compresses what is named `.gz`."""
    return file_system().open_output_stream(path, compression=None)


def _read_whole(path: str) -> bytes:
    """Read all bytes of an object. Each attempt gets its size first, which is where Arrow waits for a busy store."""
    for _ in range(_SHORT_READS - 1):
        try:
            return _read_once(path)
        except OSError as error:
            # Arrow reads into a buffer of the object's size; an error's text that is longer ends as this, untried.
            if "Failed to flush response stream" not in str(error):
                raise
    return _read_once(path)


def _read_once(path: str) -> bytes:
    with file_system().open_input_file(path) as file:
        return bytes(file.readall())


def _seconds(mtime_ns: int) -> int:
    """Return microseconds, cut to a second: a listing knows a finer time than a look at one object does."""
    return mtime_ns // 1_000_000_000 * 1_000_000
