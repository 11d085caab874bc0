"""Middleware of `--proxy plain` around Serve's own proxy: readable requests, and problem documents for plain text."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from starlette.middleware import Middleware

from trivium.runtimes.serving.http.limits import PLAIN_ID, Message, Receive, Scope, Send
from trivium.runtimes.serving.http.problems import MEDIA_TYPE, ProblemDetails

IMPORT_PATH: Final = f"{__name__}:middlewares"
"""The value of Serve's variable for what to put around a proxy."""
_SECONDS: Final = re.compile(rb"[0-9.]{1,20}")
_ID: Final = b"x-request-id"
_TIMEOUT: Final = b"x-request-timeout-seconds"
# What Serve decodes as text: a byte it does not expect would be its failure.
_SERVES_HEADERS: Final = frozenset(
    [
        _ID,
        _TIMEOUT,
        b"x-request-disconnect-disabled",
        b"x-session-id",
        b"serve_multiplexed_model_id",
        b"serve-multiplexed-model-id",
    ]
)
_PROBLEMS: Final = {
    404: ProblemDetails(HTTPStatus.NOT_FOUND, "not-found", "nothing is served here"),
    408: ProblemDetails(HTTPStatus.GATEWAY_TIMEOUT, "replica-silent", "the replica did not answer in time"),
    500: ProblemDetails(HTTPStatus.BAD_GATEWAY, "replica-lost", "the replica died before it answered. Try: again"),
    503: ProblemDetails(
        HTTPStatus.SERVICE_UNAVAILABLE, "no-replica", "no replica is there to answer. Try: again in a moment"
    ),
}


def middlewares() -> list[Middleware]:
    """Return what Serve is to put around its proxy."""
    return [Middleware(PlainProxy)]


class PlainProxy:
    """An ASGI application around Serve's proxy."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on as Serve can read it, and its refusal back as a problem document."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"], request_id = _readable(scope["headers"])
        await self._app(scope, receive, _Answer(send, request_id, scope["method"]))


class _Answer:
    """The answer to one request, as Serve sends it."""

    def __init__(self, send: Send, request_id: str, method: str) -> None:
        self._send, self._request_id, self._method = send, request_id, method
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = {bytes(name).lower(): value for name, value in message["headers"]}
            self._replaced = message["status"] >= 400 and headers.get(b"content-type") != MEDIA_TYPE
            if self._replaced:
                await self._problem(int(message["status"]))
        if not self._replaced:
            await self._send(message)

    async def _problem(self, status: int) -> None:
        problem = _PROBLEMS.get(status) or ProblemDetails(status, "refused", "the proxy refuses this request")
        body = problem.body(self._request_id)
        sent: list[Any] = [(b"content-type", MEDIA_TYPE), (b"content-length", str(len(body)).encode())]
        await self._send(
            {
                "type": "http.response.start",
                "status": int(problem.status),
                "headers": [*sent, (_ID, self._request_id.encode())],
            }
        )
        await self._send({"type": "http.response.body", "body": b"" if self._method == "HEAD" else body})


def _readable(headers: list[tuple[bytes, bytes]]) -> tuple[list[tuple[bytes, bytes]], str]:
    """Return the headers that Serve may see, and the request's id, which is one of them."""
    ids = [value for name, value in headers if name == _ID]
    request_id = ids[0] if len(ids) == 1 and PLAIN_ID.fullmatch(ids[0]) else str(uuid.uuid4()).encode()
    values = [value for name, value in headers if name == _TIMEOUT and _SECONDS.fullmatch(value)]
    kept = [(name, value) for name, value in headers if name not in _SERVES_HEADERS]
    added = [(b"trivium-timeout-seconds", values[0])] if len(values) == 1 else []
    return [*kept, (_ID, request_id), *added], request_id.decode()
