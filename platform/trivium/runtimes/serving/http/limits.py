"""Limits of a request, checked before parsing: its type, its encoding, its size, and how fast it comes."""

from __future__ import annotations

import asyncio
import re
import resource
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, MutableMapping
from functools import partial
from http import HTTPStatus
from math import isfinite
from typing import Any, Final

from trivium.runtimes.serving.http.problems import ProblemDetails, Refused, overloaded

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON: Final = b"application/json"
PLAIN_ID: Final = re.compile(rb"[!#-\[\]-~]{1,200}")
"""A request's id: visible ASCII without quotes and backslashes, as `haproxy_launcher.py` has it."""
READ: Final = frozenset(
    [
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"transfer-encoding",
        b"trivium-received",
        b"trivium-timeout-seconds",
        b"x-request-id",
        b"x-request-timeout-seconds",
    ]
)
"""The request headers that mean anything here."""
_TOO_SLOW: Final = "the body did not arrive in time"
_MANY: Final = 65_536
_CROWDED_OUT: Final = "another body needed the place"


class Disconnected(Exception):
    """The client went away before its request was complete."""


def connections() -> int:
    """Return how many connections this process may have: each is an open file."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MANY if soft == resource.RLIM_INFINITY else min(_MANY, soft)


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers that mean anything here by lower-case name; one that came several times is a list."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in READ:
            found[name] = found[name] + b", " + value if name in found else value
    return found


def check_content(headers: Mapping[bytes, bytes], max_bytes: int) -> None:
    """Refuse what the headers already say is not wanted, before any of the body is read.

    Raises:
        Refused: 415 for a type other than JSON or a compressed body, 413 for a body that is too large.
    """
    kind = headers.get(b"content-type", b"")
    if kind != JSON and kind.partition(b";")[0].strip().lower() != JSON:
        raise Refused(_unsupported("content-type: application/json", kind, (b"accept", JSON)))
    encoding = headers.get(b"content-encoding", b"identity")
    if any(part.strip().lower() != b"identity" for part in encoding.split(b",")):
        raise Refused(_unsupported("a body that is not compressed", encoding, (b"accept-encoding", b"identity")))
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length[:20]) > max_bytes:
        raise Refused(_too_large(max_bytes, f"{length[:20].decode()} bytes"))


class Bodies:
    """Bodies on their way in: `most` of them, of `most_bytes` in all; beyond them, the one awaited longest gives way.

    Requests that come whole are never counted, so clients that send slowly only get in each other's way.
    """

    def __init__(self, most: int, most_bytes: int, retry_after: int) -> None:
        self._most, self._most_bytes, self._retry_after = most, most_bytes, retry_after
        self._awaited: dict[asyncio.Task[Any], int] = {}
        self._bytes = 0

    async def read(self, receive: Receive, max_bytes: int, seconds: float) -> bytes:
        """Return the whole body.

        Raises:
            Refused: 413 as soon as it is longer than `max_bytes`, 408 when it is not there in time, 429 when it gave
                way to another.
            Disconnected: the client went away.
        """
        task = asyncio.current_task()
        assert task is not None
        whole = self._whole(task, receive, max_bytes)
        try:
            waits_for = whole.send(None)
        except StopIteration as done:  # the body came with the headers, as small ones do: there is nothing to watch
            return bytes(done.value)
        # What asyncio.timeout does, at a quarter of its cost.
        watch = asyncio.get_running_loop().call_later(seconds, task.cancel, _TOO_SLOW)
        try:
            return await _resumed(whole, waits_for)
        except asyncio.CancelledError as error:
            if error.args not in ((_TOO_SLOW,), (_CROWDED_OUT,)) or task.uncancel() > 0:
                raise
            raise Refused(self._given_up(error.args[0], seconds)) from error
        finally:
            watch.cancel()

    async def _whole(self, task: asyncio.Task[Any], receive: Receive, max_bytes: int) -> bytes:
        parts, size = [], 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                part = message.get("body", b"")
                size += len(part)
                if size > max_bytes:
                    raise Refused(_too_large(max_bytes, "more"))
                parts.append(part)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
                self._bytes += size - self._awaited.get(task, 0)
                self._awaited[task] = size
                self._make_room()
        finally:
            self._bytes -= self._awaited.pop(task, 0)

    def _make_room(self) -> None:
        while len(self._awaited) > self._most or self._bytes > self._most_bytes:
            longest = next(iter(self._awaited))
            self._bytes -= self._awaited.pop(longest)
            longest.cancel(_CROWDED_OUT)

    def _given_up(self, why: str, seconds: float) -> ProblemDetails:
        if why == _CROWDED_OUT:
            return overloaded("too many bodies are on their way, and this one took longest", self._retry_after)
        detail = f"the body did not arrive within {seconds:g} s"
        return ProblemDetails(HTTPStatus.REQUEST_TIMEOUT, "body-too-slow", detail)


@types.coroutine
def _resumed(begun: Coroutine[Any, Any, bytes], waits_for: Any) -> Generator[Any, Any, bytes]:
    """Run a coroutine that was stepped once, and waits for something, to its end."""
    while True:
        try:
            sent = yield waits_for
        except BaseException as error:  # noqa: BLE001 - whatever ends it is the coroutine's business
            step = partial(begun.throw, error)
        else:
            step = partial(begun.send, sent)
        try:
            waits_for = step()
        except StopIteration as done:
            return bytes(done.value)


def seconds_allowed(headers: Mapping[bytes, bytes], most: float) -> float:
    """Return how long an answer may take: what the service allows, or less if the client asks for less."""
    timeout = headers.get(b"trivium-timeout-seconds") or headers.get(b"x-request-timeout-seconds")
    if timeout is None:
        return most
    try:
        seconds = float(timeout)
    except ValueError:
        return most
    return min(most, seconds) if isfinite(seconds) and seconds > 0 else most


def seconds_since(headers: Mapping[bytes, bytes], now_us: int) -> float:
    """Return how long ago the proxy in front of this process received the request; 0 where none says it."""
    stamp = headers.get(b"trivium-received", b"")
    if not stamp.isdigit() or len(stamp) > 16:
        return 0.0
    return max(0.0, now_us / 1e6 - int(stamp) / 1e3)


def _unsupported(expected: str, got: bytes, header: tuple[bytes, bytes]) -> ProblemDetails:
    shown = ascii(got[:80].decode("latin-1")) if got else "nothing"
    detail = f"expected {expected}, got {shown}"
    return ProblemDetails(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-content", detail, (header,))


def _too_large(max_bytes: int, got: str) -> ProblemDetails:
    detail = f"expected a body of at most {max_bytes:,} bytes, got {got}. Try: several requests"
    return ProblemDetails(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", detail)
