"""What a request may be before anything of it is looked at: its type, its encoding, its size, and how fast it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from math import isfinite
from typing import Any, Final

from trivium.runtimes.serving.problems import Problem, Refused

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON: Final = b"application/json"
READ: Final = frozenset(
    [
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"x-request-id",
        b"x-request-timeout-seconds",
    ]
)
"""The request headers that mean anything here."""
_TOO_SLOW: Final = "the body did not arrive in time"


class Disconnected(Exception):
    """The client went away before its request was complete."""


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The headers that mean anything here, by lower-case name."""
    return {name: value for name, value in scope["headers"] if name in READ}


def check_content(headers: Mapping[bytes, bytes], max_bytes: int) -> None:
    """Refuse what the headers already say is not wanted, before any of the body is read.

    Raises:
        Refused: 415 for a type other than JSON or a compressed body, 413 for a body that is too large.
    """
    kind = headers.get(b"content-type", b"")
    if kind != JSON and kind.partition(b";")[0].strip().lower() != JSON:
        raise Refused(_unsupported("content-type: application/json", kind, (b"accept", JSON)))
    encoding = headers.get(b"content-encoding", b"identity")
    if encoding.strip().lower() != b"identity":
        raise Refused(_unsupported("a body that is not compressed", encoding, (b"accept-encoding", b"identity")))
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length[:20]) > max_bytes:
        raise Refused(_too_large(max_bytes, f"{length[:20].decode()} bytes"))


async def read_body(receive: Receive, max_bytes: int, seconds: float) -> bytes:
    """The whole body.

    Raises:
        Refused: 413 as soon as it is longer than `max_bytes`, 408 when it is not there in time.
        Disconnected: the client went away.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    # What asyncio.timeout does, at a quarter of its cost, which is a tenth of a small request's.
    watch = loop.call_later(seconds, task.cancel, _TOO_SLOW)
    try:
        return await _read(receive, max_bytes)
    except asyncio.CancelledError as error:
        if error.args != (_TOO_SLOW,) or task.uncancel() > 0:
            raise
        detail = f"the body did not arrive within {seconds:g} s"
        raise Refused(Problem(HTTPStatus.REQUEST_TIMEOUT, "body-too-slow", detail)) from error
    finally:
        watch.cancel()


async def _read(receive: Receive, max_bytes: int) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > max_bytes:
            raise Refused(_too_large(max_bytes, "more"))
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def seconds_allowed(headers: Mapping[bytes, bytes], most: float) -> float:
    """How long an answer may take: what the service allows, or less if the client asks for less."""
    asked = headers.get(b"x-request-timeout-seconds")
    if asked is None:
        return most
    try:
        seconds = float(asked)
    except ValueError:
        return most
    return min(most, seconds) if isfinite(seconds) and seconds > 0 else most


def _unsupported(expected: str, got: bytes, header: tuple[bytes, bytes]) -> Problem:
    shown = ascii(got[:80].decode("latin-1")) if got else "nothing"
    detail = f"expected {expected}, got {shown}"
    return Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-content", detail, (header,))


def _too_large(max_bytes: int, got: str) -> Problem:
    detail = f"expected a body of at most {max_bytes:,} bytes, got {got}. Try: several requests"
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", detail)
