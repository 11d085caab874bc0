"""Refused and failed requests as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import msgspec

Headers = Sequence[tuple[bytes, bytes]]
MEDIA_TYPE: Final = b"application/problem+json"
_PREFIX: Final = "urn:trivium:problem:"


@dataclass(frozen=True)
class ProblemDetails:
    """Reason why a request has no answer. `slug` is stable and names the kind; `detail` is a sentence for a person."""

    status: int
    slug: str
    detail: str
    headers: Headers = ()

    @property
    def title(self) -> str:
        """The kind in words, equal for all of a kind."""
        return self.slug.replace("-", " ").capitalize()

    def body(self, request_id: str) -> bytes:
        """Return the JSON object; its `instance` names this one request, as the log does."""
        return msgspec.json.encode(
            {
                "type": _PREFIX + self.slug,
                "title": self.title,
                "status": self.status,
                "detail": self.detail,
                "instance": f"urn:trivium:request:{quote(request_id, safe='')}",
            }
        )


class Refused(Exception):
    """Raised on the way to an answer: the request ends in this problem.

    `body_read` is set where nothing more of the request can come; the connection of any other is closed.
    """

    def __init__(self, problem: ProblemDetails) -> None:
        super().__init__(problem.slug, problem.detail)
        self.problem = problem
        self.body_read = False


def method_not_allowed(method: str, allowed: str) -> ProblemDetails:
    """Refuse a method that the path does not have."""
    detail = f"expected {allowed}, got {method}"
    allow = ((b"allow", allowed.encode()),)
    return ProblemDetails(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", detail, allow)


def overloaded(why: str, retry_after: int) -> ProblemDetails:
    """Too much at once."""
    detail = f"{why}. Try: again in {retry_after} s"
    return ProblemDetails(HTTPStatus.TOO_MANY_REQUESTS, "overloaded", detail, _retry(retry_after))


def too_late(seconds: float) -> ProblemDetails:
    """Return no answer within the deadline."""
    detail = f"no answer within {seconds:g} s. Try: fewer events in a request, or again when there is less to do"
    return ProblemDetails(HTTPStatus.GATEWAY_TIMEOUT, "deadline-passed", detail)


def unavailable(detail: str, retry_after: int) -> ProblemDetails:
    """Something an answer needs is out of reach."""
    return ProblemDetails(HTTPStatus.SERVICE_UNAVAILABLE, "lookup-unavailable", detail, _retry(retry_after))


def failed() -> ProblemDetails:
    """Report a defect. The log has the cause under the request's id."""
    detail = "this request failed for a reason that is in the service's log, under the id in `instance`"
    return ProblemDetails(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", detail)


def _retry(seconds: int) -> Headers:
    return ((b"retry-after", str(seconds).encode()),)
