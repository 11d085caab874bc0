"""The document: valid, complete, and true of what the service answers, for thousands of requests made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.support.asgi_client import Client, Response, bought, client, orders
from trivium.config.compile import compile_file
from trivium.config.model.pipeline import Routing
from trivium.runtimes.serving.http.openapi import openapi

CLIENT = client(orders(max_events_per_request=20, max_body_bytes=4096))
DOCUMENT: dict[str, Any] = CLIENT.ask("GET", "/openapi.json").json()
EXAMPLES = pytest.mark.parametrize(
    "examples", [200, pytest.param(2000, marks=[pytest.mark.faults, pytest.mark.timeout(900)])]
)


def against(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """A validator of one schema of the document."""
    kind = Draft202012Validator
    return kind({**schema, "components": document["components"]}, format_checker=kind.FORMAT_CHECKER)


def check(response: Response, path: str, method: str = "post") -> None:
    """No defect, and what came back is what the document says."""
    assert response.status < 500, response.body
    told = DOCUMENT["paths"].get(path, DOCUMENT["paths"]["/v1/events"])[method]["responses"][str(response.status)]
    ((kind, content),) = told["content"].items()
    assert response.headers["content-type"] == kind
    against(DOCUMENT, content["schema"]).validate(response.json())


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TIMES = st.sampled_from(
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456+05:30", "2026-01-02", "1600-01-01T00:00:00Z"]
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "event_type": st.sampled_from(["bought", "returned", "", "other"]),
    "order": st.text(max_size=12),
    "at": TIMES,
    "pieces": st.integers(-3, 20) | st.just(2**31),
    "note": st.none() | st.text(max_size=12),
}
GOOD = st.fixed_dictionaries({**FIELDS, "event_type": st.just("bought"), "at": TIMES, "pieces": st.integers(1, 12)})
NEARLY = st.fixed_dictionaries({}, optional={name: values | JSON_VALUES for name, values in FIELDS.items()})
PATHS = st.sampled_from(["/v1/events", "/v1/events/bought", "/v1/events/returned"])


METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "x"])
HEADERS = st.dictionaries(
    st.sampled_from(["content_type", "content_length", "content_encoding", "authorization", "x_request_id"]),
    st.text(st.characters(max_codepoint=255), max_size=20),
    max_size=5,
)


def many(examples: int) -> settings:
    """Return the settings of a property that is held to so many examples, always the same."""
    return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@EXAMPLES
def test_requests_like_the_document_are_answered_as_it_says(examples: int) -> None:
    @many(examples)
    @given(PATHS, st.lists(GOOD | NEARLY | JSON_VALUES, max_size=25) | GOOD | NEARLY)
    def answered(path: str, body: Any) -> None:
        check(CLIENT.post(body, path), path)

    answered()


@EXAMPLES
def test_bytes_of_any_kind_are_answered_as_it_says(examples: int) -> None:
    @many(examples)
    @given(PATHS, st.binary(max_size=200), st.integers(0, 300), st.integers(0, 255))
    def answered(path: str, noise: bytes, place: int, byte: int) -> None:
        check(CLIENT.post(noise, path), path)
        whole = bytearray(json.dumps([bought(), bought("ü")]).encode())
        whole[place % len(whole)] = byte
        check(CLIENT.post(bytes(whole), path), path)

    answered()


@EXAMPLES
def test_paths_methods_and_headers_of_any_kind_are_no_defect(examples: int) -> None:
    @many(examples)
    @given(METHODS, st.text(max_size=40), HEADERS)
    def answered(method: str, path: str, headers: dict[str, str]) -> None:
        response = CLIENT.ask(method, f"/{path}", [b"{}"], **headers)
        assert response.status in (200, 401, 404, 405, 413, 415)
        assert method == "HEAD" or response.status == 200 or json.loads(response.body)["status"] == response.status

    answered()


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["servers"] == [{"url": "/orders"}]
    assert list(DOCUMENT["paths"]) == [
        *("/v1/events", "/v1/events/bought", "/v1/events/returned", "/v1/plan", "/openapi.json", "/healthz", "/readyz")
    ]


def test_types_are_described_as_the_engine_decodes_them() -> None:
    event = DOCUMENT["components"]["schemas"]["Bought"]["properties"]
    assert event["pieces"] == {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    assert event["at"] == {"type": "string", "format": "date-time"}
    row = DOCUMENT["components"]["schemas"]["Row"]["properties"]
    assert set(row) == {"event_id", "event_time", "pieces", "note"}


def test_the_schema_of_an_event_takes_what_the_service_takes() -> None:
    schema = DOCUMENT["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = against(DOCUMENT, schema)
    validator.validate(bought())
    validator.validate([bought(), {"event_type": "returned", "order": "a", "at": "2026-01-02T03:04:05Z"}])
    for wrong in (bought(pieces=-1), bought(event_type="other"), {"event_type": "bought"}, [bought()] * 21, 3):
        assert not validator.is_valid(wrong)


def test_the_projects_samples_are_the_examples(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TABLES", str(tmp_path))
    document = openapi(compile_file(repository / "configs/flights.yaml", runtime="serving"), "/flights")
    validate(document)
    for path in ("/v1/events", "/v1/events/departure", "/v1/events/cancellation"):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert content["examples"]
        for example in content["examples"].values():
            against(document, content["schema"]).validate(example["value"])


def test_types_of_one_name_do_not_hide_one_another() -> None:
    from tests.support.namesakes import PIPELINE  # noqa: PLC0415

    schemas = openapi(PIPELINE, "")["components"]["schemas"]
    assert {"Thing", "second.event.Thing"} <= set(schemas)
    assert schemas["Thing"] != schemas["second.event.Thing"]


def test_the_page_has_no_asset_from_anywhere_else() -> None:
    response = Client(CLIENT.app).ask("GET", "/docs")
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    for mark in (b"http://", b"https://", b"//cdn", b"src=", b"@import", b"url("):
        assert mark not in response.body


def test_routing_by_topic_is_served_by_paths() -> None:
    routed = orders(routing=Routing(topics={"one": "bought", "two": "returned"}))
    assert list(openapi(routed, "")["paths"])[:2] == ["/v1/events/bought", "/v1/events/returned"]
