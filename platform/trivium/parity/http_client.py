"""Asking about inputs: in requests to the HTTP service, or to what stands in for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from http.client import HTTPConnection, RemoteDisconnected
from urllib.parse import quote, urlsplit

import msgspec

from trivium.config.pipeline import Pipeline
from trivium.core.errors import RunError
from trivium.parity.inputs import Input
from trivium.parity.results import InputOutcome, of_answer

_MOST_BYTES = 200_000
Ask = Callable[[bytes, str | None], bytes]
"""Answers a request: a body, and the event type that its path names."""


def answered(pipeline: Pipeline, ask: Ask, inputs: Sequence[Input], most: int) -> list[InputOutcome | None]:
    """Whole records together in lists, everything else alone; what no request can say stays None."""
    found: list[InputOutcome | None] = [None] * len(inputs)
    takes = [at for at, each in enumerate(inputs) if _takes(pipeline, each)]
    together = [at for at in takes if _whole(inputs[at].value)]
    for event_type, places in _requests(inputs, together, most):
        try:
            answers = json.loads(ask(b"[" + b",".join(inputs[at].value for at in places) + b"]", event_type))
        except Unanswered:  # too much for one request; each alone may not be
            continue
        for at, answer in zip(places, answers, strict=True):
            found[at] = of_answer(pipeline, answer)
    for at in takes:
        if found[at] is None:
            (answer,) = json.loads(ask(inputs[at].value, inputs[at].event_type))
            found[at] = of_answer(pipeline, answer)
    return found


def _takes(pipeline: Pipeline, each: Input) -> bool:
    return each.askable and (pipeline.config.routing.by_body or each.event_type in pipeline.executors)


def _requests(inputs: Sequence[Input], chosen: Sequence[int], most: int) -> Iterator[tuple[str | None, list[int]]]:
    """Yield the places of records that share a request: of one type where it is named, and of bounded size."""
    waiting: dict[str | None, list[int]] = {}
    sizes: dict[str | None, int] = {}
    for at in chosen:
        event_type, size = inputs[at].event_type, len(inputs[at].value) + 1
        places = waiting.setdefault(event_type, [])
        if places and (len(places) == most or sizes[event_type] + size > _MOST_BYTES):
            yield event_type, places
            waiting[event_type] = places = []
        sizes[event_type] = size + (sizes[event_type] if places else 0)
        places.append(at)
    yield from waiting.items()


def _whole(value: bytes) -> bool:
    """Return whether it is one JSON value, so that it can stand in a list."""
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


class Unanswered(RunError):
    """The service had no time for a request."""


class ServiceClient:
    """A running service, over a connection that stays open."""

    def __init__(self, url: str, pipeline: Pipeline) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.netloc, timeout=60)
        self._path = f"{parts.path}/v1/events"
        self._headers = {"content-type": "application/json"}
        if keys := pipeline.api_keys():
            self._headers["authorization"] = f"Bearer {keys[0]}"

    def ask(self, body: bytes, event_type: str | None) -> bytes:
        """Return the answers to a request's events as a JSON list. `event_type` is that of all of them, if known.

        Raises:
            Unanswered: the service says that it has no time for it.
            RunError: the service refuses the request as a whole for another reason.
        """
        path = self._path if event_type is None else f"{self._path}/{quote(event_type, safe='')}"
        try:
            self._connection.request("POST", path, body, self._headers)
            answer = self._connection.getresponse()
        except (RemoteDisconnected, ConnectionResetError):  # an idle connection was closed
            self._connection.close()
            self._connection.request("POST", path, body, self._headers)
            answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != HTTPStatus.OK:
            busy = answer.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
            raise (Unanswered if busy else RunError)(
                f"the service refused a request of parity with {answer.status}: {text[:500]!r}"
            )
        return bytes(msgspec.json.decode(text, type=dict[str, msgspec.Raw])["events"])
