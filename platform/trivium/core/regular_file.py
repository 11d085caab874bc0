"""Reading of a file that a person named: a regular one, of a bounded size, and nothing that waits or never ends."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class FileTooLarge(OSError):
    """A file of more bytes than its reader takes."""


def read_regular(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file of at most `most` bytes; symbolic links are followed.

    The limit holds for what is read, whatever size the file system tells. Nothing else than a regular file is opened:
    opening a pipe waits for its writer, and opening a device may do anything.

    Raises:
        FileTooLarge: there is more to read.
        OSError: it cannot be read, or is no regular file; `strerror` says which.
    """
    _check_kind(path, os.stat(path).st_mode)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _check_kind(path, os.fstat(descriptor).st_mode)
        data = file.read(most + 1)
    if len(data) > most:
        raise FileTooLarge(errno.EFBIG, f"the file has more than {most:,} bytes, which is the limit", str(path))
    return data


def _check_kind(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        raise OSError(errno.EINVAL, f"expected a regular file, got {kind}", str(path))
