"""A service over HTTP as a lookup: its rows by pointers, and what becomes of delays, failures, truncation and lies."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from tests.support.certificates import Authority
from tests.support.fact_service import FactService, Reply, fact_service
from tests.support.remote_facts import EMPTY, FULL, Fact, answered, bound, opened
from trivium import LookupUnavailable, Row
from trivium.config.model.remote_lookups import HttpLookupSettings, Tls
from trivium.connectors import check_lookup
from trivium.core.clock import SystemClock
from trivium.core.errors import LookupAnswerError
from trivium.core.network import free_port
from trivium.testing import assert_lookup_compliance

JSON = {**FULL, "price": 12.5, "day": "2026-03-01", "at": "2026-03-01T09:30:00.123456+01:00"}
NAMED = {"Content-Type": "application/json; charset=utf-8"}


class Named(Row):
    name: str


@pytest.fixture
def service() -> Iterator[FactService]:
    with fact_service() as running:
        yield running


def section(service: FactService | str, **settings: Any) -> HttpLookupSettings:
    url = service if isinstance(service, str) else service.url
    return HttpLookupSettings.model_validate({"type": "http", "url": url, "key": "/id", **settings})


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_many_keys_are_one_request(service: FactService, method: str) -> None:
    service.rows = {"a": {"id": "a", **JSON, "unread": [{}]}, "c é&": {"id": "c é&"}}
    lookup = opened(section(service, method=method))
    assert service.requests == []
    assert answered(lookup, ["a", "b", "c é&"]) == [FULL, None, EMPTY]
    ((path, keys, _),) = service.requests
    assert keys == ["a", "b", "c é&"]
    assert path == ("/facts" if method == "POST" else "/facts?keys=a&keys=b&keys=c+%C3%A9%26")
    assert_lookup_compliance(lookup, ["a", "c é&"], unknown=["b"])
    lookup.close()  # type: ignore[attr-defined]


def test_pointers_lead_to_rows_keys_and_columns(service: FactService) -> None:
    row = {"the/key": {"~id": 7}, "names": ["seven", "sept"], "price": 0}
    body = json.dumps({"data": {"items": [row]}}).replace('"price": 0', '"price": 1234.50')
    service.replies = [Reply(body=body.encode())]
    config = section(service, key="/the~1key/~0id", rows="/data/items", columns={"name": "/names/1", "count": "/no/3"})
    lookup = opened(config, Fact, pa.int64())
    (fact,) = answered(lookup, [7])
    assert fact == {**EMPTY, "name": "sept", "price": pytest.approx(1234.5)}


@pytest.mark.parametrize(
    ("key_type", "value", "sent"),
    [
        (pa.int64(), 2**62, 2**62),
        (pa.bool_(), True, True),
        (pa.date32(), date(2026, 3, 1), "2026-03-01"),
        (pa.timestamp("us", "UTC"), datetime(2026, 3, 1, 8, tzinfo=UTC), "2026-03-01T08:00:00Z"),
    ],
)
def test_keys_of_every_type(service: FactService, key_type: pa.DataType, value: Any, sent: Any) -> None:
    service.rows = {sent: {"id": sent, "name": "here"}}
    config = section(service)
    assert config.key_problem(key_type) is None
    assert answered(opened(config, Named, key_type), pa.array([value], key_type)) == [{"name": "here"}]


def test_composite_keys_are_objects(service: FactService) -> None:
    key_type = pa.struct([("a", pa.string()), ("b", pa.int32())])
    service.key_of = lambda key: (key["origin"], key["hour"])
    service.rows = {("JFK", 5): {"at": {"origin": "JFK"}, "hour": 5, "name": "here"}}
    config = section(service, key=("/at/origin", "/hour"))
    assert config.key_problem(key_type) is None
    keys = pa.array([("JFK", 5), ("JFK", 6)], key_type)
    assert answered(opened(config, Named, key_type), keys) == [{"name": "here"}, None]
    assert config.key_problem(pa.string()) == "the enrichment has a key of 1 fields, and the lookup one of 2"
    assert "one field; use method: POST" in str(section(service, method="GET", key=("/a", "/b")).key_problem(key_type))
    assert "got double" in str(section(service).key_problem(pa.float64()))


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(body=b"[1"), "the answer cannot be read"),
        (Reply(body=b""), "the answer cannot be read"),
        (Reply(body=b'[{"id": "\xff"}]'), "it is no JSON"),
        (Reply(body=b"[" * 4000), "the answer cannot be read"),
        (Reply(body=b"[] x"), "trailing"),
        (Reply(body=b'{"items": []}'), "Expected `array`"),
        (Reply(body=b"[null]"), "row 0 of the answer"),
        (Reply(body=b'[{"name": "x"}]'), "row 0 of the answer: Object missing required field `key /id`"),
        (Reply(body=b'[{"id": 5, "name": "x"}]'), "row 0 of the answer: Expected `str`, got `int`"),
        (Reply(body=b'[{"id": "a"}]'), "the key 'a': Object missing required field `name`"),
        (Reply(body=b'[{"id": "a", "name": 5}]'), "the key 'a': Expected `str`, got `int` - at `$.name`"),
        (Reply(body=b'[{"id": "a", "name": "x"}, {"id": "a", "name": "x"}]'), "one row a key, got several for 'a'"),
        (Reply(headers={"Content-Type": "text/html"}), "expected application/json, got 'text/html'"),
        (Reply(headers={}), "expected application/json"),
        (Reply(body=gzip.compress(b"[]"), headers={**NAMED, "Content-Encoding": "gzip"}), "no content-encoding"),
        (Reply(302, headers={"Location": "http://169.254.169.254/" + "x" * 999}), "redirects are not followed"),
        (Reply(204, b""), "expected 200, got 204"),
        (Reply(404), "expected 200, got 404"),
        (Reply(401), "refuses the credentials (401)"),
        (Reply(body=b"[" + b" " * 5000 + b"]"), "at most 4,096 bytes (max_bytes), got more"),
    ],
)
def test_what_can_never_work_is_an_error_at_once(service: FactService, reply: Reply, reason: str) -> None:
    service.replies = [reply]
    lookup = opened(section(service, max_bytes=4096), Named)
    with pytest.raises(LookupAnswerError, match=r"lookup facts: .*Try: ") as caught:
        answered(lookup, ["a"])
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 700
    assert len(service.requests) == 1
    service.rows = {"a": {"id": "a", "name": "good again"}}
    assert answered(lookup, ["a"]) == [{"name": "good again"}]


def test_rows_of_other_keys_are_left_out(service: FactService) -> None:
    body = b'[{"id": "x", "name": 5}, {"id": "a", "name": "A"}, {"id": "x"}]'
    service.replies = [Reply(body=body, headers={"Content-Type": "application/vnd.facts+json"})]
    assert answered(opened(section(service), Named), ["a", "b"]) == [{"name": "A"}, None]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 408])
def test_what_may_pass_is_unavailable_and_never_tried_again_here(service: FactService, status: int) -> None:
    service.rows = {"a": {"id": "a", "name": "A"}}
    waits: list[dict[str, str]] = [{"Retry-After": "7"}, {}, {"Retry-After": "x"}]
    service.replies = [Reply(status, headers=headers) for headers in waits]
    lookup = opened(section(service), Named)
    pauses = []
    for _ in range(3):
        with pytest.raises(LookupUnavailable, match=f"lookup facts: the service answers {status}") as caught:
            answered(lookup, ["a"])
        pauses.append(caught.value.retry_after)
    assert pauses == [7.0, None, None]
    assert len(service.requests) == 3
    assert answered(lookup, ["a"]) == [{"name": "A"}]


def test_a_pause_may_be_a_date_and_is_bounded(service: FactService) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=60), usegmt=True)
    service.replies = [Reply(503, headers={"Retry-After": text}) for text in (soon, past, "9" * 5000, "-5")]
    lookup = opened(section(service), Named)
    pauses = []
    for _ in range(4):
        with pytest.raises(LookupUnavailable) as caught:
            answered(lookup, ["a"])
        pauses.append(caught.value.retry_after)
    assert pauses == [pytest.approx(59.5, abs=3), 0.0, 300.0, None]


def test_a_body_that_ends_early_is_unavailable(service: FactService) -> None:
    service.replies = [Reply(body=b'[{"id": "a"', missing=50)]
    lookup = opened(section(service), Named)
    with pytest.raises(LookupUnavailable):
        answered(lookup, ["a"])
    assert answered(lookup, ["a"]) == [None]


@pytest.mark.parametrize("reply", [Reply(delay=3.0), Reply(body=b" " * 60, piece_delay=0.05)], ids=["silent", "drips"])
def test_the_deadline_ends_a_call(service: FactService, reply: Reply) -> None:
    service.replies = [reply]
    lookup = opened(section(service), Named)
    began = time.monotonic()
    with pytest.raises(LookupUnavailable):
        answered(lookup, ["a"], seconds=0.3)
    assert time.monotonic() - began < 1.5
    assert answered(lookup, ["a"]) == [None]
    with pytest.raises(LookupUnavailable, match="no time is left"):
        answered(lookup, ["a"], seconds=0.0)


def test_a_service_that_is_away_is_unavailable() -> None:
    lookup = opened(section(f"http://127.0.0.1:{free_port()}"), Named)
    with pytest.raises(LookupUnavailable, match="lookup facts: NewConnectionError"):
        answered(lookup, ["a"])


def test_secrets_are_sent_and_never_shown(service: FactService) -> None:
    config = section("${URL}", headers={"x-team": "flights"}, secret_headers={"authorization": SecretStr("${TOKEN}")})
    secrets = {"URL": f"{service.url}?token=hush-hush", "TOKEN": "Bearer very-secret"}
    service.replies = [Reply(body=b"[]"), Reply(403, b"very-secret")]
    lookup = opened(config, Named, **secrets)
    assert answered(lookup, ["a"]) == [None]
    path, _, headers = service.requests[0]
    assert path == "/facts?token=hush-hush"
    assert (headers["authorization"], headers["x-team"]) == ("Bearer very-secret", "flights")
    with pytest.raises(LookupAnswerError, match="refuses the credentials") as caught:
        answered(lookup, ["a"])
    assert "very-secret" not in str(caught.value)
    away = opened(config, Named, URL=f"http://127.0.0.1:{free_port()}/?token=hush-hush", TOKEN="x")
    with pytest.raises(LookupUnavailable) as unavailable:
        answered(away, ["a"])
    assert "hush-hush" not in str(unavailable.value)
    with pytest.raises(LookupAnswerError, match="its url is none of a service"):
        opened(config, Named, URL="ftp://hush-hush", TOKEN="x")


def test_tls_trusts_the_authority_alone(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    certificate, key, _ = ours.issue("server", "127.0.0.1")
    with fact_service(certificate, key) as service:
        url = service.url.replace("http:", "https:")
        assert answered(opened(section(url, tls=Tls(ca_file=str(ours.ca_file))), Named), ["a"]) == [None]
        for config in (
            section(url, tls=Tls(ca_file=str(others.ca_file))),
            section(url),
            section(url.replace("127.0.0.1", "localhost"), tls=Tls(ca_file=str(ours.ca_file))),
        ):
            with pytest.raises(LookupAnswerError, match="certificate is not trusted"):
                answered(opened(config, Named), ["a"])


def test_the_check_asks_without_keys(service: FactService) -> None:
    assert check_lookup(bound(section(service)), SystemClock()) == "a request without keys is answered"
    assert service.requests[0][1] == []
    service.replies = [Reply(404)]
    with pytest.raises(LookupAnswerError, match="got 404"):
        check_lookup(bound(section(service)), SystemClock())
