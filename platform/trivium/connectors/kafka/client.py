"""Clients of kafka-python: their common options, how they are made, and their errors in our words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from trivium.config.model.streaming import KafkaSource
from trivium.connectors.kafka.diagnosis import diagnose
from trivium.connectors.kafka.errors import KafkaAccessError, KafkaTopicError, KafkaUnavailableError
from trivium.connectors.kafka.patched_transport import network_client
from trivium.connectors.kafka.security import security_options
from trivium.core.errors import SourceError

_RECONNECT_MOST_MS: Final = 1000
_LEAST_TIMEOUT_MS: Final = 1000
Client = TypeVar("Client")


def open_client(factory: Callable[..., Client], source: KafkaSource, password: str | None, **options: Any) -> Client:
    """Connect a client: kafka-python's consumer or admin class with the source's servers, security and time-outs.

    Raises:
        KafkaUnavailableError: no broker answered within `source.request_timeout_seconds`; says what stands in the way.
        KafkaAccessError: the credentials were refused.
    """
    # The client logs every attempt to connect; the callers of this module say once what is the matter.
    if (log := logging.getLogger("kafka")).level == logging.NOTSET:
        log.setLevel(logging.CRITICAL)
    made: list[Any] = []

    def capture(**configs: Any) -> Any:
        made.append(network_client(**configs))
        return made[-1]

    try:
        return factory(kafka_client=capture, **_options(source, password), **options)
    except Exception as error:
        for client in made:  # a constructor that fails leaves its thread and sockets behind
            client.close()
        raise translate(error, source, "connecting") from error


def translate(error: Exception, source: KafkaSource, doing: str) -> SourceError:
    """Return a client's error as ours; `doing` says what was being done."""
    from kafka import errors

    if isinstance(error, SourceError):
        return error
    if isinstance(error, errors.SaslAuthenticationFailedError | errors.UnsupportedSaslMechanismError):
        return KafkaAccessError(
            f"{source.servers} refused the user of security.username ({source.security.mechanism}): {error}. "
            "Check security.username, the variable of security.password, and the mechanism"
        )
    if isinstance(error, errors.AuthorizationError):
        return KafkaAccessError(f"{source.servers} forbids {doing}: {error}. Give the user Describe and Read access")
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return KafkaTopicError(f"{source.servers} does not know a topic or partition any more ({doing}): {error}")
    if isinstance(error, errors.KafkaTimeoutError | errors.NodeNotReadyError | errors.KafkaConnectionError):
        return KafkaUnavailableError(
            f"no Kafka broker of {source.servers} answered within {source.request_timeout_seconds:g} s "
            f"({doing}): {diagnose(source)}"
        )
    # A coordinator that loads, or a leader that moves, passes by itself.
    kind, state = (
        (KafkaUnavailableError, " (not ready)") if isinstance(error, errors.RetriableError) else (SourceError, "")
    )
    return kind(f"Kafka at {source.servers}{state}, {doing}: {type(error).__name__}: {error}")


def _options(source: KafkaSource, password: str | None) -> dict[str, Any]:
    timeout_ms = max(_LEAST_TIMEOUT_MS, round(source.request_timeout_seconds * 1000))
    return {
        "bootstrap_servers": [server.strip() for server in source.servers.split(",")],
        "client_id": "trivium",
        "request_timeout_ms": timeout_ms,
        "bootstrap_timeout_ms": timeout_ms,
        "reconnect_backoff_max_ms": _RECONNECT_MOST_MS,
        "connections_max_idle_ms": max(540_000, 2 * timeout_ms),
        **security_options(source, password),
    }
