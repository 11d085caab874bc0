"""API keys: who gets in, how keys are replaced, and what unusable keys are called."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runtimes.serving.asking import Client, bought, client, orders
from trivium.contract.clock import SystemClock
from trivium.contract.errors import RunError
from trivium.engine.requests import RequestWorker
from trivium.runtimes.serving.answering import Inline
from trivium.runtimes.serving.api import Api
from trivium.runtimes.serving.asgi import ServingApp
from trivium.runtimes.serving.auth import Keys
from trivium.runtimes.serving.problems import Refused
from trivium.testing import ManualClock

ONE, OTHER, THIRD = "a-key-of-sixteen", "another-key-that-is-long", "ein-schlüssel-mit-umlaut"


def locked(*keys: str) -> Client:
    pipeline, clock = orders(), SystemClock()
    inline = Inline(RequestWorker(pipeline, {}), 10, clock)
    return Client(ServingApp(Api(pipeline, inline, Keys(keys, None, clock), clock), pipeline.serving_section(), clock))


def test_any_of_the_keys_opens() -> None:
    asked = locked(ONE, OTHER, THIRD)
    for key in (ONE, OTHER):
        assert asked.post(bought(), authorization=f"Bearer {key}").status == 200
        assert asked.post(bought(), authorization=f"bearer  {key} ").status == 200
    utf8 = THIRD.encode().decode("latin-1")
    assert asked.ask("GET", "/v1/plan", authorization=f"Bearer {utf8}").status == 200


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", f"Basic {ONE}", f"Bearer {ONE}x", f"Bearer {ONE[:-1]}", ONE]
)
def test_nothing_else_does(given: str) -> None:
    asked = locked(ONE)
    for method, path in (("POST", "/v1/events"), ("GET", "/v1/plan"), ("GET", "/openapi.json"), ("GET", "/nowhere")):
        response = asked.ask(method, path, authorization=given, content_type="application/json")
        assert response.status == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert ONE.encode() not in response.body


def test_a_body_without_a_key_is_not_read() -> None:
    assert locked(ONE).ask("POST", "/v1/events", [b" " * 10_000_000]).status == 401


def test_health_and_the_page_ask_for_no_key() -> None:
    assert [locked(ONE).ask("GET", path).status for path in ("/healthz", "/readyz", "/docs")] == [200, 200, 200]


def test_the_openapi_document_says_that_a_key_is_needed() -> None:
    pipeline = replace(orders(api_keys=["${KEY}"]), secrets={"KEY": ONE})
    document = client(pipeline).ask("GET", "/openapi.json", authorization=f"Bearer {ONE}").json()
    assert document["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}


def test_a_file_of_keys_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file, clock = tmp_path / "keys", ManualClock()
    file.write_text(f"{ONE}\n\n {OTHER} \n")
    keys = Keys([], file, clock)
    keys.check(f"Bearer {ONE}".encode())
    keys.check(f"Bearer {OTHER}".encode())
    file.write_text(f"{OTHER}\n")
    os.utime(file, ns=(1, 1))
    keys.check(f"Bearer {ONE}".encode())
    clock.sleep(1.1)
    with pytest.raises(Refused):
        keys.check(f"Bearer {ONE}".encode())
    file.unlink()
    clock.sleep(1.1)
    keys.check(f"Bearer {OTHER}".encode())


@pytest.mark.parametrize(("text", "words"), [("", "empty"), ("short\n", "expected 16"), (None, "cannot be read")])
def test_a_file_without_usable_keys_does_not_start(text: str | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    if text is not None:
        file.write_text(text)
    with pytest.raises(RunError, match=words):
        Keys([], file, ManualClock())


def test_a_short_key_does_not_start() -> None:
    with pytest.raises(RunError, match="expected 16 or more"):
        Keys(["hunter2"], None, ManualClock())
