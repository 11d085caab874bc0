"""API keys: who gets in, how keys are replaced, and what unusable keys are called."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.asgi_client import Client, bought, client, orders
from trivium.core.clock import SystemClock
from trivium.core.errors import RunError
from trivium.engine.requests.worker import RequestWorker
from trivium.runtimes.serving.http.admission import Admission
from trivium.runtimes.serving.http.answering import LoopAnswering
from trivium.runtimes.serving.http.api import Api
from trivium.runtimes.serving.http.asgi import ServingApp
from trivium.runtimes.serving.http.auth import Keys
from trivium.testing import ManualClock

ONE, OTHER, THIRD = "a-key-of-sixteen", "another-key-that-is-long", "ein-schlüssel-mit-umlaut"


def locked(*keys: str) -> Client:
    pipeline, clock = orders(), SystemClock()
    section, worker = pipeline.serving_section(), RequestWorker(pipeline.worker_spec, clock)
    answering = LoopAnswering(worker, {}, Admission(section, clock), 10, clock)
    return Client(
        ServingApp(Api(pipeline, answering, Keys(keys, None, clock), clock), pipeline.serving_section(), clock)
    )


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


@dataclass
class Service:
    """Keys of a file, as requests find them a second later."""

    file: Path
    clock: ManualClock
    keys: Keys

    def opens(self, *keys: str) -> list[bool]:
        self.clock.sleep(1.1)
        return [self.keys.admits(f"Bearer {key}".encode()) for key in keys]

    def put(self, content: bytes, like_before: bool = False) -> None:
        """Another file in its place; `like_before`: with the time the last one had."""
        made = self.file.with_name("made")
        made.write_bytes(content)
        if like_before:
            stamp = self.file.stat().st_mtime_ns
            os.utime(made, ns=(stamp, stamp))
        made.replace(self.file)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    file, clock = tmp_path / "keys", ManualClock()
    file.write_text(f"{ONE}\n\n {OTHER} \n")
    return Service(file, clock, Keys([THIRD], file, clock))


def test_a_file_of_keys_is_read_again_when_a_second_has_passed(service: Service) -> None:
    assert service.opens(ONE, OTHER, THIRD) == [True, True, True]
    service.file.write_text(f"{OTHER}\n")
    assert service.keys.admits(f"Bearer {ONE}".encode())
    assert service.opens(ONE, OTHER, THIRD) == [False, True, True]


@pytest.mark.parametrize("like_before", [False, True])
def test_a_file_of_equal_size_and_time_is_another_one(service: Service, like_before: bool) -> None:
    assert service.opens("b" * len(ONE)) == [False]
    service.put(service.file.read_bytes().replace(ONE.encode(), b"b" * len(ONE)), like_before)
    assert service.opens(ONE, "b" * len(ONE), OTHER) == [False, True, True]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"\n \n# nothing\n", "an empty file"),
        (f"{ONE}\nshort\n".encode(), "line 2 of the file"),
        (f"{ONE}\n\xff".encode("latin-1"), "not UTF-8"),
        (b"\0" * 64, "line 1 of the file"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_without_usable_keys_closes_and_the_log_says_so_once(
    service: Service, caplog: pytest.LogCaptureFixture, content: bytes | None, words: str
) -> None:
    service.file.unlink() if content is None else service.put(content)
    for _ in range(3):
        assert service.opens(ONE, OTHER, THIRD) == [False, False, True]
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert "none of the API keys" in record.message
    assert words in record.message
    assert "short" not in record.message
    service.put(f"{OTHER}\n".encode())
    assert service.opens(ONE, OTHER, THIRD) == [False, True, True]
    assert "open again" in caplog.records[-1].message
    service.put(content or b"")
    assert service.opens(OTHER) == [False]
    assert len(caplog.records) == 3


def test_a_file_that_becomes_a_folder_or_a_pipe_closes(service: Service) -> None:
    service.file.unlink()
    os.mkfifo(service.file)
    assert service.opens(ONE, OTHER, THIRD) == [False, False, True]
    service.file.unlink()
    service.file.mkdir()
    assert service.opens(ONE) == [False]


def test_a_byte_order_mark_line_ends_and_comments_are_no_part_of_a_key(service: Service) -> None:
    service.put(f"# the shop's\r\n{ONE}\r\n\r\n{OTHER}".encode("utf-8-sig"))
    assert service.opens(ONE, OTHER, "# the shop's") == [True, True, False]


def test_whoever_has_no_key_learns_neither_types_nor_versions() -> None:
    asked = locked(ONE)
    pipeline = orders()
    told = [pipeline.plan.plan_short, pipeline.plan.logic_short, *pipeline.executors]
    told += [bound.version for bound in pipeline.executors.values()]
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        for path in ("/healthz", "/readyz", "/docs", "/v1/plan", "/openapi.json", "/v1/events", "/v1/events/x", "/x"):
            for given in ({}, {"authorization": f"Bearer {OTHER}"}):
                response = asked.ask(method, path, **given)
                text = str(response.headers) + response.body.decode()
                assert not [each for each in told if each in text], (method, path, text)
    assert "trivium-plan" in asked.ask("GET", "/healthz", authorization=f"Bearer {ONE}").headers
    assert "trivium-plan" in asked.ask("PUT", "/v1/events", authorization=f"Bearer {ONE}").headers
    assert "trivium-plan" in client(orders()).ask("GET", "/healthz").headers


def test_keys_are_compared_without_an_end_at_the_first_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: bool(compared.append(other)) or one == other)
    keys = Keys([ONE, OTHER, THIRD], None, SystemClock())
    assert keys.admits(f"Bearer {ONE}".encode())
    assert len(compared) == 3
    assert {len(each) for each in compared} == {32}


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
