"""API keys: who may ask. Keys are compared as digests, each with each, in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from trivium.contract.clock import Clock
from trivium.contract.errors import RunError
from trivium.runtimes.serving.problems import Problem, Refused

_SCHEME: Final = b"bearer "
_LOOK_SECONDS: Final = 1.0
_SHORTEST: Final = 16
_CHALLENGE: Final = ((b"www-authenticate", b"Bearer"),)
_DETAIL: Final = "expected the header authorization: Bearer KEY with one of this service's API keys, got "


class Keys:
    """The keys that open the service. Several are valid at once, so that one can be replaced without a gap.

    The lines of `file` count, too; it is looked at again when a second has passed. Without any keys all may ask.

    Raises:
        RunError: a key is shorter than 16 characters, or the file cannot be read or holds no key.
    """

    def __init__(self, keys: Iterable[str], file: Path | None, clock: Clock) -> None:
        self._named = [_digest(_long_enough(key, "a key of api_keys").encode()) for key in keys]
        self._file, self._clock = file, clock
        self._of_file: list[bytes] = []
        self._stamp: tuple[int, int] | None = None
        self._due = 0.0
        if file is not None:
            self._read(file)

    @property
    def required(self) -> bool:
        """Whether a request needs a key."""
        return bool(self._named) or self._file is not None

    def check(self, authorization: bytes | None) -> None:
        """Let a request with this header's value in.

        Raises:
            Refused: no key, or none of ours.
        """
        if not self.required:
            return
        if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise Refused(Problem(HTTPStatus.UNAUTHORIZED, "no-key", _DETAIL + "none", _CHALLENGE))
        given = _digest(authorization[len(_SCHEME) :].strip())
        if not any([hmac.compare_digest(given, known) for known in self._known()]):  # noqa: C419 - never stops early
            raise Refused(Problem(HTTPStatus.UNAUTHORIZED, "wrong-key", _DETAIL + "another", _CHALLENGE))

    def _known(self) -> list[bytes]:
        if self._file is not None and self._clock.monotonic() >= self._due:
            self._read_again(self._file)
        return [*self._named, *self._of_file]

    def _read_again(self, file: Path) -> None:
        """The file as it is now; while it cannot be read, the keys that were known go on."""
        try:
            self._read(file)
        except RunError:
            self._due = self._clock.monotonic() + _LOOK_SECONDS

    def _read(self, file: Path) -> None:
        self._due = self._clock.monotonic() + _LOOK_SECONDS
        try:
            stamp = (file.stat().st_mtime_ns, file.stat().st_size)
            if stamp == self._stamp:
                return
            lines = [line.strip() for line in file.read_text().splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"the file of API keys cannot be read: {error}") from error
        keys = [_long_enough(line, f"a line of {file}") for line in lines if line]
        if not keys:
            raise RunError(f"expected one API key a line in {file}, got an empty file")
        self._of_file, self._stamp = [_digest(key.encode()) for key in keys], stamp


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _long_enough(key: str, what: str) -> str:
    if len(key) < _SHORTEST:
        message = f"{what} has {len(key)} characters, expected {_SHORTEST} or more"
        raise RunError(f"{message}. Try: python -c 'import secrets; print(secrets.token_urlsafe())'")
    return key
