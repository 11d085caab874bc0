"""Files under a URI: the one module of this floor that touches a file system for data.

Only the local file system is supported. Everything created is created exclusively and is durable once it is closed:
the file and every directory from it up to the root are synced.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from trivium.delivery.errors import StorageError

_ADVICE: Final = {
    errno.ENOSPC: "free some space or point the pipeline at another volume; nothing was committed",
    errno.EDQUOT: "raise the quota or point the pipeline at another volume; nothing was committed",
    errno.EACCES: "give the user that runs the pipeline read and write permission there",
    errno.EPERM: "give the user that runs the pipeline read and write permission there",
    errno.EROFS: "the volume is mounted read-only; mount it writable",
    errno.EEXIST: "names are used once; a second writer is using the same name",
    errno.ENOENT: "the file was removed; check clean-up jobs (vacuum with a short retention)",
}


@dataclass(frozen=True)
class StoredFile:
    """A file as listed: `path` relative to the storage's root, `size` in bytes, `modified_us` since 1970 UTC."""

    path: str
    size: int
    modified_us: int


@contextmanager
def _translated(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "check the volume and its mount")
        message = f"cannot {action} {path}: {error.strerror or error}. Try: {advice}"
        raise StorageError(message) from error


def local_root(uri: str) -> Path:
    """The folder a plain path or a `file://` URI names.

    Raises:
        StorageError: any other scheme.
    """
    parts = urlsplit(uri)
    if parts.scheme == "":
        return Path(uri)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return Path(unquote(parts.path))
    message = f"storage {uri!r}: scheme {parts.scheme!r} is not supported. Supported: a plain path, file:///path"
    raise StorageError(message)


class NewFile:
    """A file that did not exist before. `close` makes it durable, `abandon` removes it; leaving `with` does either."""

    def __init__(self, root: Path, path: Path) -> None:
        self._root, self._path = root, path
        with _translated("create", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("xb")

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Append `data`.

        Raises:
            StorageError: the volume is full or refuses, naming the path.
        """
        with _translated("write", self._path):
            return self._file.write(data)

    def flush(self) -> None:
        """Hand buffered bytes to the operating system."""
        with _translated("write", self._path):
            self._file.flush()

    def tell(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    def close(self) -> None:
        """Sync the file and its directories, and close it. Closing twice does nothing."""
        if self._file.closed:
            return
        with _translated("sync", self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            _sync_directories(self._path.parent, self._root)

    def abandon(self) -> None:
        """Remove the unfinished file."""
        with _translated("remove", self._path):
            with suppress(OSError):  # what is still buffered may not fit on the volume; it is not wanted either
                self._file.close()
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> NewFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        if kind is not None:
            self.abandon()
            return
        try:
            self.close()
        except StorageError:
            self.abandon()
            raise


class Storage:
    """Files below one root. Paths are relative to it, with `/` between names."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._root = local_root(uri)

    def create(self, path: str, data: bytes) -> None:
        """Create a file with `data`, exclusively and durably."""
        with self.open_new(path) as file:
            file.write(data)

    def open_new(self, path: str) -> NewFile:
        """A new file to stream into, created exclusively; durable once closed."""
        return NewFile(self._root, self._at(path))

    def open(self, path: str) -> pa.NativeFile:
        """An existing file for reading; the caller closes it. Arrow reads it without coming back to Python."""
        with _translated("read", self._at(path)):
            return pa.OSFile(str(self._at(path)), "rb")

    def read(self, path: str) -> bytes:
        """All bytes of a file."""
        with _translated("read", self._at(path)):
            return self._at(path).read_bytes()

    def stat(self, path: str) -> StoredFile | None:
        """The file's size and time, or None when there is none."""
        with _translated("look at", self._at(path)):
            try:
                found = self._at(path).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return StoredFile(path, found.st_size, found.st_mtime_ns // 1000)

    def list(self, prefix: str = "") -> list[StoredFile]:
        """All files below the folder `prefix`, sorted by path; empty when the folder does not exist."""
        top = self._at(prefix)
        with _translated("list", top):
            paths = [Path(folder, name) for folder, _, names in os.walk(top) for name in names]
        found = (self.stat(path.relative_to(self._root).as_posix()) for path in sorted(paths))
        return [file for file in found if file is not None]

    def remove(self, path: str) -> None:
        """Remove a file; one that is gone already is fine."""
        with _translated("remove", self._at(path)):
            self._at(path).unlink(missing_ok=True)

    def publish(self, path: str, data: bytes) -> None:
        """Put `data` under `path` atomically and durably, replacing what was there: readers see the old or the new."""
        temporary = f"{path}.{secrets.token_hex(4)}.tmp"
        self.create(temporary, data)
        self.rename(temporary, path)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, atomically and durably."""
        with _translated("rename", self._at(old)):
            self._at(old).replace(self._at(new))
            _sync_directories(self._at(new).parent, self._root)

    def sync(self, path: str) -> None:
        """Make a file that someone else wrote, and its directories, durable."""
        target = self._at(path)
        with _translated("sync", target):
            _sync(target)
            _sync_directories(target.parent, self._root)

    def _at(self, path: str) -> Path:
        if path.startswith("/") or ".." in path.split("/"):
            message = f"storage {self.uri}: expected a path below the root, got {path!r}"
            raise StorageError(message)
        return self._root / path


def _sync_directories(folder: Path, root: Path) -> None:
    """Sync `folder` and its parents up to and including the root's own parent, whose entry the root is."""
    last = root.parent if os.access(root.parent, os.R_OK) else root
    while True:
        _sync(folder)
        if folder in (last, folder.parent):
            return
        folder = folder.parent


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
