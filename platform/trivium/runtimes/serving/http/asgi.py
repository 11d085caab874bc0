"""The ASGI application: one callable between the server and the API, with no framework in between.

It counts requests that are under way, turns every error into problem details, and writes the access log. No stack
trace leaves the process: the log has it, under the request's id.
"""

from __future__ import annotations

import logging
import uuid
from typing import Final

from msgspec.structs import replace

from trivium.config.model.serving import Serving
from trivium.core.clock import Clock
from trivium.runtimes.serving.http import problems
from trivium.runtimes.serving.http.api import Api, Reply
from trivium.runtimes.serving.http.limits import PLAIN_ID, Disconnected, Message, Receive, Scope, Send, headers_of
from trivium.runtimes.serving.http.problems import MEDIA_TYPE, ProblemDetails, Refused

_log: Final = logging.getLogger(__name__)
_access: Final = logging.getLogger("trivium.access")
_PROBLEM_TYPE: Final = (b"content-type", MEDIA_TYPE)
_GONE: Final = 499
_READING: Final = ("GET", "HEAD")


class ServingApp:
    """An ASGI 3 application, to be mounted anywhere: paths count from the scope's `root_path`."""

    def __init__(self, api: Api, section: Serving, clock: Clock) -> None:
        self.api, self._section, self._clock = api, section, clock
        self._ongoing = 0
        self._logs = section.access_log == "json"

    @property
    def ongoing(self) -> int:
        """Requests under way."""
        return self._ongoing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's start and end."""
        kind = scope["type"]
        if kind == "http":
            await self._request(scope, receive, send)
        elif kind == "lifespan":
            await _lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = self._clock.monotonic()
        headers = headers_of(scope)
        self._ongoing += 1
        try:
            reply = await self._reply(scope, headers, receive)
            if reply is not None:
                await _send(reply, send, scope["method"])
        finally:
            self._ongoing -= 1
        status = _GONE if reply is None else reply.status
        seconds = self._clock.monotonic() - began
        self.api.counts.answered(status, seconds)
        if self._logs:
            events = 0 if reply is None else reply.events
            extra = {"request": _id_of(headers), "method": scope["method"], "path": scope["path"], "status": status}
            _access.info("request", extra={**extra, "events": events, "duration_ms": round(seconds * 1e3, 3)})

    async def _reply(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> Reply | None:
        """Return the reply, whatever happens; None when nobody waits for one any more."""
        try:
            return await self._answer(scope, headers, receive)
        except Refused as refused:
            reply = self._problem(refused.problem, headers)
            return reply if refused.body_read or not _has_body(headers) else _closing(reply)
        except Disconnected:
            return None
        except Exception:  # noqa: BLE001 - the last place that can answer
            request_id = _id_of(headers)
            _log.exception("a request failed", extra={"request": request_id})
            return _closing(self._problem(problems.failed(), headers))

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> Reply:
        mount = scope.get("root_path", "").rstrip("/")
        path = scope["path"].removeprefix(mount)
        method = scope["method"]
        if self.api.is_events(path):
            if method != "POST":
                raise Refused(problems.method_not_allowed(method, "POST"))
            return await self.api.events(path, headers, receive)
        if method not in _READING:
            raise Refused(problems.method_not_allowed(method, "GET"))
        reply = self.api.show(path, mount, headers)
        return _closing(reply) if _has_body(headers) else reply

    def _problem(self, problem: ProblemDetails, headers: dict[bytes, bytes]) -> Reply:
        sent = (_PROBLEM_TYPE, *problem.headers, *self.api.hashes_for(headers))
        return Reply(problem.status, sent, problem.body(_id_of(headers)))


async def _send(reply: Reply, send: Send, method: str) -> None:
    length = (b"content-length", str(len(reply.body)).encode())
    start: Message = {"type": "http.response.start", "status": int(reply.status), "headers": [*reply.headers, length]}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else reply.body})


def _has_body(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


def _closing(reply: Reply) -> Reply:
    """Return the reply with an end to its connection: what is still to come of the request may have no end."""
    return replace(reply, headers=(*reply.headers, (b"connection", b"close")))


def _id_of(headers: dict[bytes, bytes]) -> str:
    """Return the id the client or the proxy gave the request, if it is plain text, else one of ours."""
    given = headers.get(b"x-request-id", b"")
    if not PLAIN_ID.fullmatch(given):
        given = headers[b"x-request-id"] = str(uuid.uuid4()).encode()
    return given.decode()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
