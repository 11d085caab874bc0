"""Files under a URI: the one face of this floor towards data, be it a local folder or `s3://bucket/prefix`.

S3 is any store that speaks its protocol and honours `If-None-Match` on a put, which is what Delta commits by. Endpoint
and credentials come from the standard variables of every process that touches the table, driver and workers alike:
AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (or a profile, or the machine's role), and
AWS_ENDPOINT_URL for a store that is not Amazon's. They are in no pipeline file, plan or log.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from trivium.config.paths import s3_location
from trivium.delivery.errors import StorageError
from trivium.delivery.storage.files import NewFile, StoredFile
from trivium.delivery.storage.local import LocalFiles
from trivium.delivery.storage.s3 import S3Files

__all__ = ["NewFile", "Storage", "StoredFile"]


class Storage:
    """Files below one root. Paths are relative to it, with `/` between names.

    Raises:
        StorageError: any method, when the storage refuses or the path is not below the root; names the path.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._files = _files(uri)

    @property
    def read_ahead_bytes(self) -> int:
        """Bytes that are worth one request to the storage."""
        return self._files.read_ahead_bytes

    @property
    def durable_once_written(self) -> bool:
        """Say whether a power cut cannot take what was written, whoever wrote it, so that nothing needs a sync."""
        return self._files.durable_once_written

    def create(self, path: str, data: bytes) -> None:
        """Create a file with `data`, durably; see `open_new`."""
        with self.open_new(path) as file:
            file.write(data)

    def put_new(self, path: str, data: bytes, modified_us: int) -> None:
        """Put a file with `data` and that time in place at once, unless one is there; it has yet to be synced.

        Raises:
            AlreadyThere: one is.
            StorageError: the storage refused, or cannot do that (S3 through Arrow).
        """
        self._files.put_new(self._checked(path), data, modified_us)

    def open_new(self, path: str) -> NewFile:
        """Open a new file to stream into, durable once closed. The caller chooses a name with a random part.

        Locally it is created exclusively as well.
        """
        return self._files.open_new(self._checked(path))

    def open(self, path: str) -> pa.NativeFile:
        """Open an existing file for reading; the caller closes it. Arrow reads it without coming back to Python."""
        return self._files.open(self._checked(path))

    def read(self, path: str) -> bytes:
        """Read all bytes of a file."""
        return self._files.read(self._checked(path))

    def find(self, path: str) -> bytes | None:
        """Read all bytes of a file, or return None when there is none, even if it went while it was read."""
        try:
            return self.read(path)
        except StorageError:
            if self.stat(path) is None:
                return None
            raise

    def stat(self, path: str) -> StoredFile | None:
        """Return the file's size and time, or None when there is none."""
        return self._files.stat(self._checked(path))

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder, sorted; cheaper than `list`."""
        return self._files.names(self._checked(folder))

    def list(self, prefix: str = "") -> list[StoredFile]:
        """List all files below the folder `prefix`, sorted by path; none when the folder does not exist."""
        return self._files.list(self._checked(prefix))

    def remove(self, path: str) -> None:
        """Remove a file; one that is gone already is fine."""
        self._files.remove(self._checked(path))

    def publish(self, path: str, data: bytes) -> None:
        """Put `data` under `path` atomically and durably, replacing what was there: readers see the old or the new."""
        self._files.publish(self._checked(path), data)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, durably; atomically on a local volume, by copy and removal on S3."""
        self._files.rename(self._checked(old), self._checked(new))

    def make_root(self) -> None:
        """Make the root's folder, durably, for someone else to write into."""
        self._files.make_root()

    def sync(self, *paths: str) -> None:
        """Make files that someone else wrote, then their directories, durable."""
        self._files.sync([self._checked(path) for path in paths])

    def hold(self, folder: str) -> AbstractContextManager[None]:
        """Keep other processes of this machine that hold the same folder out; no one else is kept from anything."""
        return self._files.hold(self._checked(folder))

    def _checked(self, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/"):
            message = f"storage {self.uri}: expected a path below the root, got {path!r}"
            raise StorageError(message)
        return path


def _files(uri: str) -> LocalFiles | S3Files:
    parts = urlsplit(uri)
    if parts.scheme == "":
        return LocalFiles(Path(uri))
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return LocalFiles(Path(unquote(parts.path)))
    location = s3_location(uri)
    if location is not None:
        return S3Files(*location)
    message = f"storage {uri!r} is not supported. Supported: a plain path, file:///path, s3://bucket/prefix"
    raise StorageError(message)
