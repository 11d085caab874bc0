"""The serving section of the pipeline file."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, field_serializer, model_validator

from trivium.config.model.section import Seconds, Section
from trivium.config.yaml.interpolate import variable


def _ours(route: str) -> str:
    """Return the route; refuse one that clients resolve to another, or that Serve answers itself."""
    parts = route.split("/")[1:]
    if {".", ".."} & {*parts}:
        raise ValueError("no part of a route can be . or .., which clients resolve before they ask")
    if parts[0] == "-":
        raise ValueError("/- belongs to Serve, which answers /-/routes and /-/healthz itself")
    return route


_ROUTE: Final = r"^/(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*)?$"
Route = Annotated[str, Field(pattern=_ROUTE, max_length=200), AfterValidator(_ours)]


class Serving(Section):
    """The serving runtime: where it answers, how much at once, how fast, and to whom.

    A request is answered within `deadline_seconds` of its body being there, or refused. Its headers may take
    `header_seconds` to arrive and its body `body_seconds`, which is also how long a client may read nothing of its
    answer; a connection that is kept without a request ends after `idle_seconds`. Each replica holds at most
    `max_ongoing_requests`; beyond them, or when it could not answer in time, a request is refused with 429 and the
    advice to come back after `retry_after_seconds`. A replica busy with one request for longer than
    `hung_after_seconds` is replaced. `drain_seconds` bounds a stop; Serve itself waits for a minute at most.

    An API key may only be a reference to a variable, `${NAME}`, or a line of `api_keys_file`, an absolute path on each
    replica's machine, which is read again every second. A key has 16 characters or more. Without any, whoever reaches
    the port is answered.
    """

    route: Route
    """The path that the service answers below."""
    replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """The number of replicas."""
    deadline_seconds: Seconds = 1.0
    """Seconds within which a request is answered, counted from the moment its body is there."""
    header_seconds: Seconds = 10.0
    """The most seconds the headers of a request take to arrive."""
    body_seconds: Seconds = 10.0
    """The most seconds a body takes to arrive, or an answer to be read."""
    idle_seconds: Seconds = 60.0
    """Seconds after which a connection without a request is closed."""
    max_body_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = 1 << 20
    """The most bytes of a request's body."""
    max_events_per_request: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    """The most events of one request."""
    max_ongoing_requests: Annotated[int, Field(ge=1, le=100_000)] = 100
    """The most requests a replica holds at once; others are answered 429."""
    retry_after_seconds: Annotated[int, Field(ge=1, le=3600)] = 1
    """Seconds in the `Retry-After` header of a 429 answer."""
    hung_after_seconds: Seconds = 30.0
    """Seconds after which a replica that is busy with one request is replaced."""
    drain_seconds: Annotated[float, Field(gt=0, le=50)] = 10.0
    """The most seconds a stop waits for requests under way."""
    api_keys: tuple[SecretStr, ...] = ()
    """Accepted API keys, each only as a reference to a variable: `${NAME}`."""
    api_keys_file: Annotated[str, Field(pattern=r"^/", max_length=4096)] | None = None
    """An absolute path, on each replica's machine, of a file with one API key a line."""
    access_log: Literal["off", "json"] = "off"
    """The log of requests: none, or a line of JSON for each."""

    @model_validator(mode="after")
    def _patience(self) -> Serving:
        if self.hung_after_seconds < self.deadline_seconds:
            message = f"hung_after_seconds {self.hung_after_seconds} is less than deadline_seconds"
            raise ValueError(f"{message} {self.deadline_seconds}: replicas would be replaced over requests in time")
        return self

    @property
    def protected(self) -> bool:
        """True where a request needs an API key."""
        return bool(self.api_keys) or self.api_keys_file is not None

    @field_serializer("api_keys", when_used="json")
    def _references(self, keys: tuple[SecretStr, ...]) -> list[str]:
        """Return the references, which replicas resolve again; stars for anything else."""
        texts = [key.get_secret_value() for key in keys]
        return [text if variable(text) else str(key) for text, key in zip(texts, keys, strict=True)]
