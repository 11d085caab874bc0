"""Refused requests: their status, and how little of them is read first."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import time
from typing import Any
from urllib.parse import unquote

import pytest

from tests.support.asgi_client import Response, bought, client, orders
from trivium.core.errors import LookupOutage
from trivium.runtimes.serving.http.answering import EventRequest
from trivium.runtimes.serving.http.limits import Bodies
from trivium.runtimes.serving.http.problems import Refused
from trivium.testing import ManualClock

JSON = "application/json"


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """What Trivium logs, also after a command of another test has sent it elsewhere."""
    monkeypatch.setattr(logging.getLogger("trivium"), "propagate", True)
    return caplog


def problem(response: Response, status: int, slug: str) -> Any:
    assert response.status == status
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert set(told) == {"type", "title", "status", "detail", "instance"}
    assert (told["status"], told["type"]) == (status, f"urn:trivium:problem:{slug}")
    return told


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    asked = client(orders(max_body_bytes=2048))
    headers = {"content-type": JSON, "content-length": "2049"}
    response = asyncio.run(asked.told("POST", "/v1/events", [], headers))
    assert "2,048" in problem(response, 413, "body-too-large")["detail"]


def test_a_body_without_a_length_is_read_no_further_than_the_limit() -> None:
    asked = client(orders(max_body_bytes=2048))
    messages = [{"type": "http.request", "body": b" " * 1000, "more_body": True} for _ in range(10)]
    response = asyncio.run(asked.told("POST", "/v1/events", messages, {"content-type": JSON}))
    problem(response, 413, "body-too-large")
    assert len(messages) == 7


def test_a_body_at_the_limit_is_answered_in_as_many_pieces_as_it_comes() -> None:
    body = json.dumps(bought()).encode().ljust(2048)
    asked = client(orders(max_body_bytes=2048))
    pieces = [body[at : at + 100] for at in range(0, len(body), 100)]
    assert asked.ask("POST", "/v1/events", pieces, content_type=JSON, content_length="2048").status == 200


@pytest.mark.parametrize("length", ["-1", "x", "", "9" * 400])
def test_an_odd_length_is_no_defect(length: str) -> None:
    assert client(orders()).post(bought(), content_length=length).status in (200, 413)


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    asked = client(orders(body_seconds=0.05))
    messages = [{"type": "http.request", "body": b"{", "more_body": True}]
    response = asyncio.run(asked.told("POST", "/v1/events", messages, {"content-type": JSON}))
    problem(response, 408, "body-too-slow")


def test_a_client_that_goes_away_is_no_defect() -> None:
    asked = client(orders())
    response = asyncio.run(asked.told("POST", "/v1/events", [{"type": "http.disconnect"}], {"content-type": JSON}))
    assert response.status == 0
    assert asked.app.ongoing == 0
    assert asked.app.api.counts.requests == {499: 1}


def test_too_many_events() -> None:
    asked = client(orders(max_events_per_request=3))
    assert asked.post([bought()] * 3).status == 200
    assert "3" in problem(asked.post([bought()] * 4), 413, "too-many-events")["detail"]


@pytest.mark.parametrize("body", [b"[", b"[{]", b'[{"a":1},]', b'["a]', b"[" * 100_000])
def test_a_list_that_is_none(body: bytes) -> None:
    problem(client(orders()).post(body), 400, "malformed-body")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"nonsense", b'"a"', b"12"])
def test_a_body_that_is_no_list_is_one_event(body: bytes) -> None:
    (answer,) = client(orders()).post(body).json()["events"]
    assert (answer["outcome"], answer["stage"]) == ("rejected", "decode")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_a_body_of_another_type(kind: str) -> None:
    told = problem(client(orders()).post(bought(), content_type=kind), 415, "unsupported-content")
    assert JSON in told["detail"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"])
def test_json_by_other_names(kind: str) -> None:
    assert client(orders()).post(bought(), content_type=kind).status == 200


def test_a_compressed_body_is_refused_unread() -> None:
    body = gzip.compress(b" " * 1_000_000)
    response = client(orders()).post(body, content_encoding="gzip")
    problem(response, 415, "unsupported-content")
    assert response.headers["accept-encoding"] == "identity"
    assert client(orders()).post(bought(), content_encoding="identity").status == 200


@pytest.mark.parametrize(
    ("given", "status"),
    [(("identity", "gzip"), 415), (("gzip", "identity"), 415), (("identity", "identity"), 200), (("", "gzip"), 415)],
)
def test_every_content_encoding_header_counts(given: tuple[str, str], status: int) -> None:
    messages = [{"type": "http.request", "body": json.dumps(bought()).encode()}]
    headers = [("content-type", JSON), *(("content-encoding", each) for each in given)]
    assert asyncio.run(client(orders()).told("POST", "/v1/events", messages, headers)).status == status


@pytest.mark.parametrize("given", ["caf\xe9", "two words", 'a"b', "a\\b", "", "x" * 201, "\x7f"])
def test_a_request_id_that_is_no_plain_text_is_replaced(given: str) -> None:
    response = client(orders()).post(b"[", x_request_id=given)
    told = problem(response, 400, "malformed-body")["instance"]
    assert re.fullmatch(r"urn:trivium:request:[0-9a-f-]{36}", told)


@pytest.mark.parametrize("given", ["a", "x" * 200, "urn:1/2?3=4&5", "~!#$%^*()[]{}"])
def test_a_request_id_is_kept(given: str) -> None:
    told = problem(client(orders()).post(b"[", x_request_id=given), 400, "malformed-body")["instance"]
    assert unquote(told) == f"urn:trivium:request:{given}"


@pytest.mark.parametrize(("ago", "status"), [(0.0, 200), (0.3, 200), (0.6, 429), (3600, 429), (-3600, 200)])
def test_time_spent_in_front_of_the_replica_counts(ago: float, status: int) -> None:
    asked = client(orders(deadline_seconds=0.5))
    response = asked.post(bought(), trivium_received=str(round((time.time() - ago) * 1000)))
    assert response.status == status


@pytest.mark.parametrize("stamp", ["", "x", "-1", "1" * 17, "1.5"])
def test_a_stamp_of_nonsense_is_none(stamp: str) -> None:
    assert client(orders(deadline_seconds=0.5)).post(bought(), trivium_received=stamp).status == 200


@pytest.mark.parametrize(("method", "path", "allow"), [("GET", "/v1/events", "POST"), ("POST", "/v1/plan", "GET")])
def test_another_method(method: str, path: str, allow: str) -> None:
    response = client(orders()).ask(method, path)
    problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allow


def test_bodies_on_their_way_hold_no_place_and_the_one_awaited_longest_gives_way() -> None:
    asked = client(orders(max_ongoing_requests=2, retry_after_seconds=7, body_seconds=5, max_body_bytes=2048))

    async def crowd() -> list[Response]:
        async def slow() -> Response:
            messages = [{"type": "http.request", "body": b"[" + b" " * 1023, "more_body": True}] * 2
            headers = {"content-type": JSON, "transfer-encoding": "chunked"}
            return await asked.told("POST", "/v1/events", messages, headers)

        stalled = [asyncio.create_task(slow()) for _ in range(5)]
        await asyncio.sleep(0)
        whole = [await asked.asked("POST", "/v1/events", [b"{}"], content_type=JSON) for _ in range(10)]
        done, held = await asyncio.wait(stalled, timeout=0.05)
        assert done == set(stalled[:3])
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        return [*whole, *(each.result() for each in done)]

    responses = asyncio.run(crowd())
    assert [response.status for response in responses[:10]] == [200] * 10
    for refused in responses[10:]:
        problem(refused, 429, "overloaded")
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("7", "close")


def test_as_many_bodies_as_there_are_files_for() -> None:
    async def crowd() -> list[int | None]:
        bodies = Bodies(2, 10**9, 1)

        async def slow() -> int | None:
            async def receive() -> Any:
                await asyncio.sleep(0)
                return {"type": "http.request", "body": b"", "more_body": True}

            try:
                await bodies.read(receive, 2048, 0.2)
            except Refused as refused:
                return refused.problem.status
            return None

        return await asyncio.gather(*(slow() for _ in range(4)))

    assert asyncio.run(crowd()) == [429, 429, 408, 408]


def test_a_body_that_never_ends_is_given_up_and_its_connection_closed() -> None:
    asked = client(orders(body_seconds=0.05))
    messages = [{"type": "http.request", "body": b"[", "more_body": True}]
    headers = {"content-type": JSON, "content-length": "9"}
    response = asyncio.run(asked.told("POST", "/v1/events", messages, headers))
    problem(response, 408, "body-too-slow")
    assert response.headers["connection"] == "close"
    nothing = asyncio.run(asked.told("POST", "/v1/events", [], headers))
    problem(nothing, 408, "body-too-slow")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/v1/events/none", 404), ("POST", "/v1/plan", 405), ("GET", "/healthz", 200)],
)
def test_what_answers_without_reading_a_body_closes_the_connection(method: str, path: str, status: int) -> None:
    asked = client(orders())
    endless = asked.ask(method, path, [], content_type=JSON, transfer_encoding="chunked")
    assert (endless.status, endless.headers["connection"]) == (status, "close")
    assert "connection" not in asked.ask(method, path, content_length="0").headers


class Failing:
    """Raises instead of answering."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def answer(self, request: EventRequest) -> Any:
        raise self.error

    def close(self) -> None:
        """Nothing to do."""


def test_a_defect_is_told_without_its_cause_and_logged_with_it(heard: pytest.LogCaptureFixture) -> None:
    asked = client(orders(), Failing(ZeroDivisionError("a secret")))
    with heard.at_level(logging.ERROR):
        response = asked.post(bought(), x_request_id="id-1/a")
    told = problem(response, 500, "failed")
    assert told["instance"].startswith("urn:trivium:request:id-1%2F")
    assert b"secret" not in response.body
    assert b"Traceback" not in response.body
    assert "a secret" in heard.text


def test_an_outage_of_a_lookup_is_no_defect() -> None:
    asked = client(orders(retry_after_seconds=3), Failing(LookupOutage("lookup plane: no answer")))
    response = asked.post(bought())
    assert "lookup plane" in problem(response, 503, "lookup-unavailable")["detail"]
    assert response.headers["retry-after"] == "3"


class Late(ManualClock):
    """Every look at it is a second later."""

    def monotonic(self) -> float:
        self.sleep(1.0)
        return super().monotonic()


def test_what_is_too_late_before_it_begins_is_not_begun() -> None:
    asked = client(orders(deadline_seconds=0.5), clock=Late())
    problem(asked.post(bought()), 504, "deadline-passed")
    assert not asked.app.api.counts.events


@pytest.mark.parametrize(
    ("asked", "allowed"), [("0.25", 0.25), ("9", 0.5), ("x", 0.5), ("-1", 0.5), ("nan", 0.5), ("inf", 0.5)]
)
def test_a_client_may_ask_for_less_time_and_not_for_more(asked: str, allowed: float) -> None:
    seen: list[float] = []

    class Seen(Failing):
        async def answer(self, request: EventRequest) -> Any:
            seen.append(request.allowed)
            return []

    client(orders(deadline_seconds=0.5), Seen(ValueError())).post(bought(), x_request_timeout_seconds=asked)
    assert seen == [allowed]


@pytest.mark.parametrize("log", ["off", "json"])
def test_the_access_log_is_a_line_a_request(log: str, heard: pytest.LogCaptureFixture) -> None:
    with heard.at_level(logging.INFO, "trivium.access"):
        client(orders(access_log=log)).post([bought()] * 2, x_request_id="id-1")
    lines = [vars(record) for record in heard.records if record.name == "trivium.access"]
    shown = [(line["request"], line["status"], line["events"], line["path"]) for line in lines]
    assert shown == ([("id-1", 200, 2, "/orders/v1/events")] if log == "json" else [])
