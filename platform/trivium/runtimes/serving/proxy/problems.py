"""Problem documents of the proxy: for itself, and in place of Serve's plain text: a problem document a status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from trivium.config.model.serving import Serving
from trivium.runtimes.serving.http.problems import ProblemDetails

_ID: Final = "REQUEST-ID"
_NO_REPLICA: Final = "no replica is there to answer. Try: again in a moment"
_LOST: Final = "the replica died before it answered. Try: again; a request has no effect that could double"


def proxy_problems(section: Serving) -> Mapping[str, Any]:
    """Return status, headers and text of each problem by the status it stands for, as the launcher takes them.

    In the text stands an expression of HAProxy's for the request's id.
    """
    retry = ((b"retry-after", str(section.retry_after_seconds).encode()),)
    slow = f"the request did not arrive in time: {section.body_seconds:g} s are allowed for its body"
    described = {
        400: ProblemDetails(400, "malformed-request", "expected a request in HTTP/1.1, got what cannot be read as one"),
        404: ProblemDetails(404, "not-found", f"nothing is served here. Try: {section.route.rstrip('/')}/openapi.json"),
        405: ProblemDetails(405, "method-not-allowed", "another method is expected here"),
        408: ProblemDetails(408, "body-too-slow", slow),
        413: ProblemDetails(
            413, "body-too-large", f"expected a body of at most {section.max_body_bytes:,} bytes, got more"
        ),
        429: ProblemDetails(
            429, "overloaded", f"too much at once. Try: again in {section.retry_after_seconds} s", retry
        ),
        500: ProblemDetails(502, "replica-lost", _LOST),
        501: ProblemDetails(501, "not-implemented", "expected a request as in HTTP/1.1, got one that is not supported"),
        502: ProblemDetails(502, "replica-lost", _LOST),
        503: ProblemDetails(503, "no-replica", _NO_REPLICA, retry),
        504: ProblemDetails(504, "replica-silent", "the replica did not answer in time. Try: again, with fewer events"),
    }
    return {str(status): _for_launcher(problem) for status, problem in described.items()}


def milliseconds(seconds: float) -> str:
    """Return a time as HAProxy's configuration takes it."""
    return f"{max(1, math.ceil(seconds * 1000))}ms"


def _for_launcher(problem: ProblemDetails) -> dict[str, Any]:
    text = problem.body(_ID).decode()
    return {
        "status": int(problem.status),
        "headers": {name.decode(): value.decode() for name, value in problem.headers},
        "text": text.replace(_ID, "%[var(txn.id)]"),
    }
