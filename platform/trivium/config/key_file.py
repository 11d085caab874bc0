"""API keys as text: how long one is, and what a file of them holds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from trivium.core.errors import RunError
from trivium.core.regular_file import read_regular

SHORTEST: Final = 16
MAX_BYTES: Final = 1 << 20
_MAKE: Final = "python -c 'import secrets; print(secrets.token_urlsafe())' makes one"


class KeyFileUnreadable(RunError):
    """The file of API keys is not there, or may not be read by this process."""


def weakness(key: str) -> str | None:
    """Return what is wrong with a key, without a character of it; None if it can be used."""
    if len(key) < SHORTEST:
        return f"the key has {len(key)} characters, expected {SHORTEST} or more. Try: {_MAKE}"
    if not key.isprintable() or key != key.strip():
        return f"the key has outer blanks or characters that no header can carry. Try: {_MAKE}"
    return None


def read_keys(path: Path) -> list[str]:
    """Return the keys of a file, one a line. Blank lines and lines that begin with `#` are none; UTF-8, mark or not.

    Raises:
        KeyFileUnreadable: the file cannot be opened.
        RunError: it is no regular file, too large, no text, holds no key, or a line is no key: then none of it counts.
    """
    return keys_of(read_key_file(path), path)


def read_key_file(path: Path) -> bytes:
    """Return the bytes of a file of keys.

    Raises:
        KeyFileUnreadable: it cannot be opened.
        RunError: it is no regular file, or larger than a MiB.
    """
    try:
        return read_regular(path, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise KeyFileUnreadable(f"the file of API keys {path} cannot be read: {error.strerror}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunError(f"the file of API keys {path} cannot be read: {reason}") from error


def keys_of(data: bytes, path: Path) -> list[str]:
    """Return the keys in the bytes of the file at `path`; raises what `read_keys` raises for its content."""
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RunError(f"the file of API keys {path} is not UTF-8: byte {error.start} begins no character") from None
    keys = {number: line.strip() for number, line in enumerate(lines, 1) if line.strip()}
    keys = {number: key for number, key in keys.items() if not key.startswith("#")}
    for number, key in keys.items():
        wrong = weakness(key)
        if wrong:
            raise RunError(f"line {number} of the file of API keys {path}: {wrong}")
    if not keys:
        raise RunError(f"expected one API key a line in {path}, got an empty file. Try: {_MAKE}")
    return list(keys.values())
