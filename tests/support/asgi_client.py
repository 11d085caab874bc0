"""A pipeline of two types, its API in this process, and a client that speaks ASGI to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from tests.support.pipelines import pipeline_of
from trivium import Event, Executor, Int32, NormalizedEvent, RejectError
from trivium.config.model.pipeline import Routing
from trivium.config.model.serving import Serving
from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock, SystemClock
from trivium.engine.requests.worker import RequestWorker
from trivium.runtimes.serving.http.admission import Admission
from trivium.runtimes.serving.http.answering import Answering, LoopAnswering
from trivium.runtimes.serving.http.api import Api
from trivium.runtimes.serving.http.asgi import ServingApp
from trivium.runtimes.serving.http.auth import Keys


class Bought(Event, tag="bought"):
    """Something was bought."""

    order: str
    at: datetime
    pieces: Annotated[Int32, Meta(ge=0)]
    note: str | None = None


class Returned(Event, tag="returned"):
    """Something came back."""

    order: str
    at: datetime


class Row(NormalizedEvent):
    """What happened to an order."""

    pieces: Int32 | None = None
    note: str | None = None


class BoughtExecutor(Executor[Bought, Row]):
    """A purchase. One of nothing is dropped; one of 13 is refused; 500 is a defect."""

    def accepts(self, event: Bought) -> bool:
        return event.pieces > 0

    def process(self, event: Bought) -> Row:
        if event.pieces == 13:
            raise RejectError("thirteen pieces are none of ours")
        return Row(event_id=event.order, event_time=event.at, pieces=event.pieces, note=event.note)


class ReturnedExecutor(Executor[Returned, Row]):
    """A return, as two rows."""

    def process(self, event: Returned) -> list[Row]:
        return [Row(event_id=f"{event.order}/{part}", event_time=event.at) for part in (1, 2)]


EXECUTORS: tuple[type[Executor[Any, Any]], ...] = (BoughtExecutor, ReturnedExecutor)


def orders(routing: Routing | None = None, **serving: Any) -> Pipeline:
    """The pipeline, with this serving section."""
    made = pipeline_of(EXECUTORS, routing=routing)
    section = Serving.model_validate_json(json.dumps({"route": "/orders", **serving}))
    return replace(made, name="orders", config=made.config.model_copy(update={"serving": section}))


def bought(order: str = "a", **more: Any) -> dict[str, Any]:
    """A purchase."""
    return {"event_type": "bought", "order": order, "at": "2026-01-02T03:04:05Z", "pieces": 1, **more}


@dataclass(frozen=True)
class Response:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Speaks to an ASGI application mounted at /orders, in this process."""

    def __init__(self, app: ServingApp) -> None:
        self.app = app

    def ask(self, method: str, path: str, chunks: Iterable[bytes] = (b"",), **headers: str) -> Response:
        return asyncio.run(self.asked(method, path, chunks, **headers))

    def post(self, value: Any, path: str = "/v1/events", **headers: str) -> Response:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", path, [body], **{"content_type": "application/json", **headers})

    async def asked(self, method: str, path: str, chunks: Iterable[bytes] = (b"",), **headers: str) -> Response:
        parts = list(chunks)
        messages = [
            {"type": "http.request", "body": part, "more_body": number < len(parts)}
            for number, part in enumerate(parts, 1)
        ]
        return await self.told(method, path, messages, headers)

    async def told(
        self,
        method: str,
        path: str,
        messages: list[dict[str, Any]],
        headers: Mapping[str, str] | Sequence[tuple[str, str]],
    ) -> Response:
        """The response to these messages; after them, silence."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            return await asyncio.Future()

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = headers.items() if isinstance(headers, Mapping) else headers
        named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in pairs]
        scope = {"type": "http", "method": method, "path": f"/orders{path}", "root_path": "/orders", "headers": named}
        await self.app(scope, receive, send)
        if not sent:
            return Response(0, {}, b"")
        fields = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        return Response(sent[0]["status"], fields, sent[1]["body"])


def client(pipeline: Pipeline, answering: Answering | None = None, clock: Clock | None = None) -> Client:
    """A client of this pipeline's API."""
    clock = clock or SystemClock()
    section = pipeline.serving_section()
    alone = LoopAnswering(
        RequestWorker(pipeline.worker_spec, clock),
        {},
        Admission(section, clock),
        section.max_events_per_request,
        clock,
    )
    keys = Keys(pipeline.api_keys(), None, clock)
    return Client(ServingApp(Api(pipeline, answering or alone, keys, clock), section, clock))
