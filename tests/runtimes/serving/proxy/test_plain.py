"""Serve's own proxy as clients see it: what it refuses is a problem, and no header is its failure."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from ray.serve._private.http_util import _apply_middlewares

from trivium.runtimes.serving.proxy.plain import middlewares


def asked(status: int, kind: bytes, *headers: tuple[bytes, bytes], method: str = "GET") -> tuple[list[Any], Any]:
    """What is sent for an answer of this status, and the headers that Serve saw."""
    seen: list[Any] = []
    sent: list[Any] = []

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope["headers"]))
        for _, value in scope["headers"]:
            value.decode()
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": b"some ", "more_body": True})
        await send({"type": "http.response.body", "body": b"text"})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "headers": list(headers)}
    asyncio.run(_apply_middlewares(serve, middlewares())(scope, None, send))
    return sent, seen[0]


@pytest.mark.parametrize(
    ("status", "told", "slug"),
    [
        (404, 404, "not-found"),
        (500, 502, "replica-lost"),
        (503, 503, "no-replica"),
        (408, 504, "replica-silent"),
        (418, 418, "refused"),
    ],
)
def test_plain_text_becomes_a_problem(status: int, told: int, slug: str) -> None:
    (start, body), _ = asked(status, b"text/plain", (b"x-request-id", b"id-1"))
    headers = dict(start["headers"])
    assert (start["status"], headers[b"content-type"]) == (told, b"application/problem+json")
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    document = json.loads(body["body"])
    assert (document["status"], document["type"]) == (told, f"urn:trivium:problem:{slug}")
    assert document["instance"] == "urn:trivium:request:id-1"
    assert asked(status, b"text/plain", method="HEAD")[0][1]["body"] == b""


@pytest.mark.parametrize(("status", "kind"), [(200, b"text/plain"), (429, b"application/problem+json")])
def test_what_is_an_answer_or_a_problem_already_passes(status: int, kind: bytes) -> None:
    sent, _ = asked(status, kind)
    assert [message.get("status") for message in sent] == [status, None, None]


def test_headers_that_serve_could_not_decode_are_left_out() -> None:
    names = [b"x-request-id", b"x-request-timeout-seconds", b"x-session-id", b"serve_multiplexed_model_id"]
    sent, seen = asked(200, b"a/b", *((name, b"caf\xe9") for name in names))
    assert list(seen) == [b"x-request-id"]
    assert re.fullmatch(rb"[0-9a-f-]{36}", seen[b"x-request-id"])
    assert len([value for name, value in sent[0]["headers"] if name.lower() == b"x-request-id"]) == 1
    assert asked(200, b"a/b", (b"x-request-timeout-seconds", b"0.5"))[1][b"trivium-timeout-seconds"] == b"0.5"
