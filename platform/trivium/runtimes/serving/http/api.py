"""The API of one pipeline: which paths there are, who may ask, and how a body becomes an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock, Deadline
from trivium.core.errors import LookupOutage
from trivium.core.suggest import one_of
from trivium.engine.requests.body import MalformedBody, TooManyEvents
from trivium.engine.requests.worker import EventAnswer, encode
from trivium.runtimes.serving.counts import RequestCounts
from trivium.runtimes.serving.http import limits, problems
from trivium.runtimes.serving.http.answering import Answering, EventRequest
from trivium.runtimes.serving.http.auth import Keys
from trivium.runtimes.serving.http.docs_page import page
from trivium.runtimes.serving.http.openapi import openapi
from trivium.runtimes.serving.http.problems import Headers, ProblemDetails, Refused

EVENTS: Final = "/v1/events"
PLAN: Final = "/v1/plan"
OPENAPI: Final = "/openapi.json"
DOCS: Final = "/docs"
HEALTHY: Final = "/healthz"
READY: Final = "/readyz"
_OPEN: Final = frozenset({DOCS, HEALTHY, READY})
_JSON: Final = (b"content-type", b"application/json")


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The reply to a request."""

    status: int
    headers: Headers
    body: bytes
    events: int = 0


class Api:
    """Answers the requests of one pipeline, knowing nothing of the server in front. `ready` is for load balancers.

    `hashes` are headers of answers to whoever may ask: what the answer was made under.
    """

    def __init__(self, pipeline: Pipeline, answering: Answering, keys: Keys, clock: Clock) -> None:
        self._section = pipeline.serving_section()
        self._pipeline, self._answering, self._keys, self._clock = pipeline, answering, keys, clock
        self.counts = RequestCounts()
        self.ready = True
        self._types = {f"{EVENTS}/{name}": name for name in pipeline.executors}
        section = self._section
        # Those that stall may hold as much memory as requests that are answered may, and no place of theirs.
        most_bytes = section.max_ongoing_requests * section.max_body_bytes
        self._bodies = limits.Bodies(limits.connections() // 2, most_bytes, section.retry_after_seconds)
        self._versions = {name: bound.version for name, bound in sorted(pipeline.executors.items())}
        self.hashes: Headers = (
            (b"trivium-plan", pipeline.plan.plan_short.encode()),
            (b"trivium-logic", pipeline.plan.logic_short.encode()),
            (b"trivium-executors", self._executors_digest().encode()),
        )
        self._events_headers = (_JSON, *self.hashes)
        self._pages: dict[str, Reply] = {}

    async def events(self, path: str, headers: Mapping[bytes, bytes], receive: limits.Receive) -> Reply:
        """Answer events posted to a path that `is_events`.

        The deadline begins when the body is there. Before that the request holds no place among those that are
        answered; what it waited on its way to this process counts.
        """
        section = self._section
        waited = limits.seconds_since(headers, self._clock.now_us())
        self._keys.check(headers.get(b"authorization"))
        event_type = self._event_type(path)
        limits.check_content(headers, section.max_body_bytes)
        body = await self._bodies.read(receive, section.max_body_bytes, section.body_seconds)
        allowed = limits.seconds_allowed(headers, section.deadline_seconds)
        request = EventRequest(body, event_type, Deadline.after(self._clock, allowed - waited), allowed)
        try:
            if waited > allowed:
                late = f"this request waited for {waited:.2g} s in front of this replica, and {allowed:g} s are allowed"
                raise Refused(problems.overloaded(late, section.retry_after_seconds))
            answers = await self._answers(request)
        except Refused as refused:
            refused.body_read = True
            raise
        self.counts.add(answers)
        return Reply(HTTPStatus.OK, self._events_headers, b'{"events":' + encode(answers) + b"}", len(answers))

    async def _answers(self, request: EventRequest) -> Sequence[EventAnswer]:
        try:
            return await self._answering.answer(request)
        except MalformedBody as error:
            raise Refused(ProblemDetails(HTTPStatus.BAD_REQUEST, "malformed-body", str(error))) from error
        except TooManyEvents as error:
            raise Refused(ProblemDetails(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-many-events", str(error))) from error
        except LookupOutage as error:
            raise Refused(problems.unavailable(str(error), self._section.retry_after_seconds)) from error

    def show(self, path: str, mount: str, headers: Mapping[bytes, bytes]) -> Reply:
        """Answer a GET. `mount` is the path in front of all of ours, as the client writes it."""
        if path in (HEALTHY, READY):
            return self._health(path, headers)
        if path not in _OPEN:
            self._keys.check(headers.get(b"authorization"))
        if path not in (PLAN, OPENAPI, DOCS):
            raise Refused(self._nothing_at(path))
        key = f"{mount} {path}"
        if key not in self._pages:
            self._pages = {key: self._made(path, mount), **dict(list(self._pages.items())[:15])}
        return self._pages[key]

    @staticmethod
    def is_events(path: str) -> bool:
        """Return whether events are posted to this path."""
        return path == EVENTS or path.startswith(EVENTS + "/")

    def _event_type(self, path: str) -> str | None:
        if path == EVENTS:
            if self._pipeline.config.routing.by_body:
                return None
            raise Refused(self._nothing_at(path))
        event_type = self._types.get(path)
        if event_type is None:
            raise Refused(self._nothing_at(path))
        return event_type

    def _nothing_at(self, path: str) -> ProblemDetails:
        every = [EVENTS] if self._pipeline.config.routing.by_body else []
        known = [*every, *self._types, PLAN, OPENAPI, DOCS]
        near = one_of(path[:200], known)
        return ProblemDetails(HTTPStatus.NOT_FOUND, "not-found", f"nothing is served at {path[:200]}. {near}")

    def hashes_for(self, headers: Mapping[bytes, bytes]) -> Headers:
        """Return the headers that say what answers, which is nobody's business who has no key where one is needed."""
        return self.hashes if self._keys.admits(headers.get(b"authorization")) else ()

    def _health(self, path: str, headers: Mapping[bytes, bytes]) -> Reply:
        well = self.ready or path == HEALTHY
        status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
        return Reply(
            status, (_JSON, *self.hashes_for(headers)), b'{"ready":true}' if self.ready else b'{"ready":false}'
        )

    def _executors_digest(self) -> str:
        """Return one short text for all executor versions: a header of all of them could outgrow what proxies take."""
        return hashlib.sha256(msgspec.json.encode(self._versions)).hexdigest()[:16]

    def _made(self, path: str, mount: str) -> Reply:
        if path == DOCS:
            hashes = () if self._keys.required else self.hashes  # the page asks for no key
            html = ((b"content-type", b"text/html; charset=utf-8"), *_PAGE_POLICY, *hashes)
            return Reply(HTTPStatus.OK, html, page())
        body = self._plan() if path == PLAN else msgspec.json.encode(openapi(self._pipeline, mount))
        return Reply(HTTPStatus.OK, (_JSON, *self.hashes), body)

    def _plan(self) -> bytes:
        plan = self._pipeline.plan
        return msgspec.json.encode(
            {
                "pipeline": self._pipeline.name,
                "plan": plan.plan,
                "logic": plan.logic,
                "executors": self._versions,
                "executors_digest": self._executors_digest(),
                "document": msgspec.Raw(plan.json),
            }
        )


# The page needs its own style and script and nothing from anywhere else.
_PAGE_POLICY: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
)
