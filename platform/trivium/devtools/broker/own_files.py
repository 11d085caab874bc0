"""Files of ours under names that anybody can guess: no link is followed, nothing emptied that others put there."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MODE: Final = 0o600


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock among processes. The file is made if it is not there, and whatever it holds stays.

    Raises:
        OSError: the name is a symbolic link, no regular file, or a file of somebody else's.
    """
    descriptor = _open_own(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_to_append(path: Path) -> int:
    """Return a descriptor that writes at the end of a file of ours; raises what `locked` raises."""
    return _open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def write_whole(path: Path, text: str) -> None:
    """Put a file in place in one step. Readers find the old one or the new one; a link of that name is replaced.

    Raises:
        OSError: the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, _MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _open_own(path: Path, flags: int) -> int:
    try:
        descriptor = os.open(path, flags | _FLAGS, _MODE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise OSError(error.errno, "expected a file of ours, got a symbolic link; remove it", str(path)) from None
        raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
        os.close(descriptor)
        what = "a file of another user's" if stat.S_ISREG(found.st_mode) else "no regular file"
        what = "a file with another name elsewhere" if found.st_nlink > 1 else what
        raise OSError(errno.EPERM, f"expected a file of ours, got {what}; remove it", str(path))
    return descriptor
