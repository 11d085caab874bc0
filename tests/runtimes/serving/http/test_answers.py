"""Answers to events: one outcome each, whatever becomes of the others, and the hashes in the headers."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.support.asgi_client import bought, client, orders
from tests.support.engine_inputs import raw
from trivium.config.model.pipeline import Routing
from trivium.engine.blocking import BlockingWorker

ROW = {"event_id": "a", "event_time": "2026-01-02T03:04:05Z", "pieces": 1, "note": None}


def test_one_event_is_answered_with_its_row() -> None:
    response = client(orders()).post(bought())
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == {"events": [{"outcome": "emitted", "event_type": "bought", "rows": [ROW]}]}
    assert response.headers["content-length"] == str(len(response.body))


def test_a_list_is_answered_in_its_order_and_a_bad_event_rejects_only_itself() -> None:
    events: list[Any] = [bought(), bought(pieces=13), {"event_type": "bought"}, bought(pieces=0), bought(pieces="x")]
    events += ["text", None, {"event_type": "unknown"}, {**bought(), "event_type": "returned"}]
    answers = client(orders()).post(events).json()["events"]
    assert [answer["outcome"] for answer in answers] == [
        *("emitted", "rejected", "rejected", "dropped", "rejected", "rejected", "rejected", "dropped", "emitted")
    ]
    assert [row["event_id"] for row in answers[-1]["rows"]] == ["a/1", "a/2"]
    assert (answers[1]["stage"], answers[1]["reason"]) == ("process", "RejectError")
    assert (answers[4]["stage"], answers[4]["path"]) == ("decode", "$.pieces")


def test_an_empty_list_has_no_answers() -> None:
    assert client(orders()).post([]).json() == {"events": []}


def test_the_path_names_the_type() -> None:
    asked = client(orders())
    nameless = {name: value for name, value in bought().items() if name != "event_type"}
    assert asked.post(nameless, "/v1/events/bought").json()["events"][0]["rows"] == [ROW]
    assert [each["outcome"] for each in asked.post([nameless] * 2, "/v1/events/returned").json()["events"]] == [
        *("emitted", "emitted")
    ]


@pytest.mark.parametrize("path", ["/v1/events/bougt", "/v1/events/", "/v1/events/bought/1", "/v1/event"])
def test_a_path_that_is_none_says_which_there_are(path: str) -> None:
    response = client(orders()).ask("GET" if path == "/v1/event" else "POST", path)
    assert response.status == 404
    assert "/v1/events" in response.json()["detail"]


def test_where_no_field_names_the_type_only_the_path_does() -> None:
    asked = client(orders(routing=Routing(header="kind")))
    assert asked.post(bought()).status == 404
    assert asked.post(bought(), "/v1/events/bought").status == 200
    assert "/v1/events" not in asked.ask("GET", "/openapi.json").json()["paths"]


def test_the_headers_say_what_answered() -> None:
    pipeline = orders()
    headers = client(pipeline).post(bought()).headers
    assert headers["trivium-plan"] == pipeline.plan.plan_short
    assert headers["trivium-logic"] == pipeline.plan.logic_short
    plan = client(pipeline).ask("GET", "/v1/plan").json()
    assert plan["executors"] == {"bought": "memory", "returned": "memory"}
    assert headers["trivium-executors"] == plan["executors_digest"]
    assert len(plan["executors_digest"]) == 16


def test_the_plan_is_shown_with_its_hashes() -> None:
    pipeline = orders()
    shown = client(pipeline).ask("GET", "/v1/plan").json()
    assert (shown["plan"], shown["logic"]) == (pipeline.plan.plan, pipeline.plan.logic)
    assert shown["document"] == json.loads(pipeline.plan.json)
    assert shown["executors"] == {"bought": "memory", "returned": "memory"}


def test_counts_are_of_requests_events_and_rows() -> None:
    asked = client(orders())
    asked.post([bought(), bought(pieces=0), {"event_type": "returned", "order": "r", "at": "2026-01-02T03:04:05Z"}])
    asked.post(b"[1")
    counts = asked.app.api.counts
    assert {int(status): number for status, number in counts.requests.items()} == {200: 1, 400: 1}
    assert counts.events == {("bought", "emitted"): 1, ("bought", "dropped"): 1, ("returned", "emitted"): 1}
    assert counts.rows == {"bought": 1, "returned": 2}
    assert len(counts.take_seconds()) == 2
    assert counts.take_seconds() == []


def test_answers_are_the_workers_whatever_the_size_of_a_request() -> None:
    pipeline, asked, chance = orders(), client(orders()), random.Random(7)
    kinds = [bought, lambda **_: {"event_type": "returned", "order": "r", "at": "2026-01-02T03:04:05Z"}]
    events = [chance.choice(kinds)(order=str(n), pieces=chance.choice([0, 1, 13])) for n in range(200)]
    outcomes = BlockingWorker(pipeline.worker_spec, {}).run(raw(*[json.dumps(event).encode() for event in events]))
    one_by_one = [asked.post(event).json()["events"][0] for event in events]
    together = asked.post(events).json()["events"]
    assert one_by_one == together
    rejected = [number for number, answer in enumerate(together) if answer["outcome"] == "rejected"]
    assert rejected == sorted(reject.index for reject in outcomes.rejects)
    emitted = sum(len(answer.get("rows", [])) for answer in together)
    assert emitted == sum(each.rows.num_rows for each in outcomes.emitted.values())
