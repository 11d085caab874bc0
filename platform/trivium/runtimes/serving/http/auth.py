"""API keys: who may ask. Keys are compared as digests, each with each, in constant time."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from trivium.config.key_file import keys_of, read_key_file, weakness
from trivium.core.clock import Clock
from trivium.core.errors import RunError
from trivium.runtimes.serving.http.problems import ProblemDetails, Refused

_SCHEME: Final = b"bearer "
_LOOK_SECONDS: Final = 1.0
_CHALLENGE: Final = ((b"www-authenticate", b"Bearer"),)
_DETAIL: Final = "expected the header authorization: Bearer KEY with one of this service's API keys, got "
_log: Final = logging.getLogger(__name__)


class Keys:
    """The keys that open the service. Several are valid at once, so that one can be replaced without a gap.

    The lines of `file` count, too; what it holds is read again when a second has passed. While it is missing, empty or
    holds a line that is no key, none of its keys opens, and the log says why, once. Without any keys all may ask.

    Raises:
        RunError: a key cannot be used, or the file cannot be read or holds no key.
    """

    def __init__(self, keys: Iterable[str], file: Path | None, clock: Clock) -> None:
        self._named = [_digest(_usable(key)) for key in keys]
        self._clock = clock
        self._file = None if file is None else _KeyFile(file)
        self._due = 0.0
        if self._file is not None:
            self._look(self._file)
            if self._file.problem is not None:
                raise self._file.problem

    @property
    def required(self) -> bool:
        """Tell whether a request needs a key."""
        return bool(self._named) or self._file is not None

    def check(self, authorization: bytes | None) -> None:
        """Let a request with this header's value in.

        Raises:
            Refused: no key, or none of ours.
        """
        if not self.admits(authorization):
            slug, got = ("no-key", "none") if _given(authorization) is None else ("wrong-key", "another")
            raise Refused(ProblemDetails(HTTPStatus.UNAUTHORIZED, slug, _DETAIL + got, _CHALLENGE))

    def admits(self, authorization: bytes | None) -> bool:
        """Tell whether a request with this header's value may know and do everything."""
        if not self.required:
            return True
        given = _given(authorization)
        if given is None:
            return False
        digest = _digest(given)
        return any([hmac.compare_digest(digest, known) for known in self._known()])  # noqa: C419 - never stops early

    def _known(self) -> list[bytes]:
        if self._file is None:
            return self._named
        if self._clock.monotonic() >= self._due:
            self._look(self._file)
        return [*self._named, *self._file.digests]

    def _look(self, file: _KeyFile) -> None:
        file.look()
        self._due = self._clock.monotonic() + _LOOK_SECONDS


class _KeyFile:
    """A file of keys as it was last read: the digests of its keys, or the problem because of which it has none.

    It is known by its content: a file put in its place may have the same size and time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content: bytes | None = None
        self.digests: list[bytes] = []
        self.problem: RunError | None = None

    def look(self) -> None:
        """Read it again."""
        try:
            data = read_key_file(self._path)
            content = _digest(data)
            if content == self._content:
                return
            self.digests = [_digest(key.encode()) for key in keys_of(data, self._path)]
            self._content = content
        except RunError as error:
            self._close(error)
            return
        if self.problem is not None:
            _log.warning("the API keys of %s open again", self._path)
            self.problem = None

    def _close(self, error: RunError) -> None:
        self.digests, self._content = [], None
        if str(error) != str(self.problem):
            _log.error("none of the API keys of %s opens any more: %s", self._path, error)
        self.problem = error


def _given(authorization: bytes | None) -> bytes | None:
    if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    return authorization[len(_SCHEME) :].strip()


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _usable(key: str) -> bytes:
    wrong = weakness(key)
    if wrong:
        raise RunError(f"a key of serving.api_keys: {wrong}")
    return key.encode()
