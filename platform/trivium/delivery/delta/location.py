"""Places where a table can be, and why one that is there cannot be opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from deltalake.exceptions import DeltaError, TableNotFoundError

from trivium.config.paths import s3_location
from trivium.delivery.errors import StorageError

_COLOUR: Final = re.compile(r"\x1b\[\d+m")
_STACK: Final = re.compile(r"\n\s*0: .*", re.DOTALL)
_SPACE: Final = re.compile(r"\s+")
_FOREIGN: Final = re.compile(
    r"Unsupported|catalog-managed|Column mapping|Invalid protocol action"
)  # by an engine that knows more
_SHOWN: Final = 300
# The Delta library takes a path for a URL: it decodes %20, reads \ as / and gives up at the others.
_UNUSABLE: Final = re.compile(r"[\[\]|^\\\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}")


def check_location(uri: str) -> None:
    """Prove that a folder can be at the URI, as far as that can be found without opening a table.

    Raises:
        StorageError: the scheme is not supported, or a file, a loop of links or a folder without permission is in the
            way; names what is.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        if s3_location(uri) is None:
            supported = "a plain path, file:///path or s3://bucket/prefix"
            raise StorageError(f"expected {supported} for a table, got {uri!r}. Try: one of those")
        return
    path = Path(uri if parts.scheme == "" else unquote(parts.path))
    if unusable := _UNUSABLE.search(str(path.absolute())):
        message = (
            f"expected a path for a table without {unusable[0]!r}, which the Delta library cannot take, got {uri!r}"
        )
        raise StorageError(f"{message}. Try: another path")
    try:
        _check_folders(uri, path)
    except OSError as error:
        raise StorageError(
            f"expected a folder for a table, got {uri!r}: {error.strerror}. Try: another path"
        ) from error


def _check_folders(uri: str, path: Path) -> None:
    for each in (*reversed(path.absolute().parents), path.absolute(), path / "_delta_log"):
        if not each.exists():
            if each.is_symlink():
                raise StorageError(f"table {uri}: {each} is a link to nothing. Try: another path, or mend the link")
            return
        if not each.is_dir():
            message = f"table {uri}: expected a folder at {each}, got a file"
            raise StorageError(f"{message}. Try: another path for the table, or move that file away")


@contextmanager
def opening(uri: str) -> Iterator[None]:
    """Turn what deltalake says of a log that it cannot read into a StorageError; that there is no table passes.

    Raises:
        StorageError: the log is there and cannot be read; names the table and the reason in one line.
    """
    try:
        yield
    except TableNotFoundError:
        raise
    except OSError as error:
        message = f"table {uri}: its log cannot be read: {_reason(error)}"
        raise StorageError(f"{message}. Try: check the volume, its mount and the permissions there") from error
    except DeltaError as error:
        message = f"table {uri}: expected a Delta log that can be read, got: {_reason(error)}"
        advice = "restore the folder _delta_log from a copy, or name another path"
        if _FOREIGN.search(str(error)):
            advice = "an engine that has what this table was given, or another path"
        raise StorageError(f"{message}. Try: {advice}") from error


def _reason(error: Exception) -> str:
    text = (
        _SPACE.sub(" ", _STACK.sub("", _COLOUR.sub("", str(error)))).strip().removeprefix("Kernel error: ").rstrip(".")
    )
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
