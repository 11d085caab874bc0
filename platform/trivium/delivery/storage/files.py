"""Files of every kind of storage: files as listed, and files being written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from trivium.delivery.errors import StorageError


@dataclass(frozen=True)
class StoredFile:
    """A file as listed: `path` relative to the storage's root, `size` in bytes, `modified_us` since 1970 UTC."""

    path: str
    size: int
    modified_us: int


class NewFile(ABC):
    """A file that did not exist before. `close` makes it durable, `abandon` removes it; leaving `with` does either."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """True once nothing more can be written."""

    @abstractmethod
    def write(self, data: bytes) -> int:
        """Append `data`.

        Raises:
            StorageError: the storage is full or refuses, naming the path.
        """

    @abstractmethod
    def flush(self) -> None:
        """Hand buffered bytes on, where the storage can take them before the file is whole."""

    @abstractmethod
    def tell(self) -> int:
        """Return the bytes written so far."""

    @abstractmethod
    def close(self) -> None:
        """Make the file whole and durable. Closing twice does nothing."""

    @abstractmethod
    def abandon(self) -> None:
        """Remove the unfinished file."""

    def __enter__(self) -> Self:
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
