"""Files below a local folder.

Everything created is created exclusively and is durable once it is closed: the file and every directory from it up to
the root are synced, and once per process the directories above the root, which someone may just have made.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Final

import pyarrow as pa

from trivium.delivery.errors import AlreadyThere, StorageError
from trivium.delivery.storage.files import NewFile, StoredFile

_READ_AHEAD_BYTES: Final = 1 << 20
_ADVICE: Final = {
    errno.ENOSPC: "free some space or point the pipeline at another volume; nothing was committed",
    errno.EDQUOT: "raise the quota or point the pipeline at another volume; nothing was committed",
    errno.EACCES: "give the user that runs the pipeline read and write permission there",
    errno.EPERM: "give the user that runs the pipeline read and write permission there",
    errno.EROFS: "the volume is mounted read-only; mount it writable",
    errno.EEXIST: "names are used once; a second writer is using the same name",
    errno.ENOENT: "the file was removed; check clean-up jobs (vacuum with a short retention)",
}


@contextmanager
def _translated(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "check the volume and its mount")
        message = f"cannot {action} {path}: {error.strerror or error}. Try: {advice}"
        raise StorageError(message) from error


class LocalNewFile(NewFile):
    """A new file of the local file system."""

    def __init__(self, root: Path, path: Path) -> None:
        self._root, self._path = root, path
        with _translated("create", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("xb")

    @property
    def closed(self) -> bool:
        """True once nothing more can be written."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Append `data`."""
        with _translated("write", self._path):
            return self._file.write(data)

    def flush(self) -> None:
        """Hand buffered bytes to the operating system."""
        with _translated("write", self._path):
            self._file.flush()

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self._file.tell()

    def close(self) -> None:
        """Sync the file and its directories, and close it."""
        if self._file.closed:
            return
        with _translated("sync", self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            _sync_directories({self._path.parent}, self._root)

    def abandon(self) -> None:
        """Remove the unfinished file."""
        with _translated("remove", self._path):
            with suppress(OSError):  # what is still buffered may not fit on the volume; it is not wanted either
                self._file.close()
            self._path.unlink(missing_ok=True)


class LocalFiles:
    """The local side of `Storage`; its docstrings hold here."""

    read_ahead_bytes = _READ_AHEAD_BYTES
    durable_once_written = False

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_new(self, path: str, data: bytes, modified_us: int) -> None:
        """Write aside, then give it its name: a link, unlike a renaming, loses against one that is there."""
        target = self._root / path
        aside = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
        with _translated("write", target):
            try:
                aside.write_bytes(data)
                os.utime(aside, ns=(modified_us * 1000, modified_us * 1000))
                os.link(aside, target)
            except FileExistsError as error:
                raise AlreadyThere(f"{target} is there already. Try: another name") from error
            finally:
                aside.unlink(missing_ok=True)

    def open_new(self, path: str) -> LocalNewFile:
        """Open a new file to stream into, created exclusively."""
        return LocalNewFile(self._root, self._root / path)

    def open(self, path: str) -> pa.NativeFile:
        """Open an existing file for reading."""
        with _translated("read", self._root / path):
            return pa.OSFile(str(self._root / path), "rb")

    def read(self, path: str) -> bytes:
        """Read all bytes of a file."""
        with _translated("read", self._root / path):
            return (self._root / path).read_bytes()

    def stat(self, path: str) -> StoredFile | None:
        """Return the file's size and time."""
        with _translated("look at", self._root / path):
            try:
                found = (self._root / path).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            if not S_ISREG(found.st_mode):  # a pipe would make whoever opens it wait, a device may have no end
                return None
            return StoredFile(path, found.st_size, found.st_mtime_ns // 1000)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder."""
        top = self._root / folder
        with _translated("list", top):
            try:
                with os.scandir(top) as found:
                    return sorted(entry.name for entry in found if entry.is_file())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def list(self, prefix: str) -> list[StoredFile]:
        """List all files below a folder."""
        top = self._root / prefix
        with _translated("list", top):
            paths = [Path(folder, name) for folder, _, names in os.walk(top) for name in names]
        found = (self.stat(path.relative_to(self._root).as_posix()) for path in sorted(paths))
        return [file for file in found if file is not None]

    def remove(self, path: str) -> None:
        """Remove a file."""
        with _translated("remove", self._root / path):
            (self._root / path).unlink(missing_ok=True)

    def publish(self, path: str, data: bytes) -> None:
        """Write aside, then rename."""
        temporary = f"{path}.{secrets.token_hex(4)}.tmp"
        with self.open_new(temporary) as file:
            file.write(data)
        self.rename(temporary, path)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        with _translated("rename", self._root / old):
            (self._root / old).replace(self._root / new)
            _sync_directories({(self._root / new).parent, (self._root / old).parent}, self._root)

    def make_root(self) -> None:
        """Make the root's folder, and sync it and those above."""
        with _translated("create", self._root):
            self._root.mkdir(parents=True, exist_ok=True)
            _sync_directories({self._root}, self._root)

    def sync(self, paths: Sequence[str]) -> None:
        """Sync files, then the directories that lead to them, each once."""
        targets = [self._root / path for path in paths]
        for target in targets:
            with _translated("sync", target):
                _sync(target)
        with _translated("sync", self._root):
            _sync_directories({target.parent for target in targets}, self._root)

    @contextmanager
    def hold(self, folder: str) -> Iterator[None]:
        """Hold the folder's own lock; a network volume that cannot lock a folder holds nobody up."""
        with _translated("lock", self._root / folder):
            descriptor = os.open(self._root / folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


_led_to: set[tuple[str, int]] = set()
"""Roots, as path and inode, whose directories above were synced by this process."""


def _sync_directories(folders: set[Path], root: Path) -> None:
    """Sync folders and their parents, up to and including the root's own parent, whose entry the root is."""
    chain = {root}
    for folder in folders:
        chain.update((folder, *(above for above in folder.parents if above.is_relative_to(root))))
    for folder in sorted(chain, key=lambda each: len(each.parts), reverse=True):
        _sync(folder)
    if os.access(root.parent, os.R_OK):
        _sync(root.parent)
    _sync_above(root)


def _sync_above(root: Path) -> None:
    """Sync the directories above the root's parent once: whoever made the root may have made them, too.

    Those of another volume, or that may not be read, are not ours to sync.
    """
    known = (str(root), root.stat().st_ino)
    if known in _led_to:
        return
    below = root.absolute().parent
    while not os.path.ismount(below):
        below = below.parent
        with suppress(OSError):
            _sync(below)
    _led_to.add(known)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
