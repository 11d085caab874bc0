"""kafka-python's network client with larger reads.

The stock transport asks the socket for 4 KiB at a time. Each of those reads gives up the interpreter lock and, while
the main thread works, waits for it again: fetching competes with processing and loses. Larger reads are all we change.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

_RECEIVE_BYTES: Final = 256 << 10
_NOTHING_YET: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def network_client(**configs: Any) -> Any:
    """A `KafkaNetClient` for the client's option `kafka_client`."""
    from kafka.net.compat import KafkaNetClient
    from kafka.net.manager import KafkaConnectionManager
    from kafka.net.selector import NetworkSelector

    class Manager(KafkaConnectionManager):  # type: ignore[misc]
        async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
            transport = await super()._build_transport(node, timeout_at=timeout_at)
            transport._sock_recv = lambda: _receive(transport._sock)  # noqa: SLF001
            return transport

    net = NetworkSelector(**configs)
    return KafkaNetClient(net=net, manager=Manager(net, **configs), **configs)


def _receive(sock: Any) -> tuple[bytes, Exception | None]:
    """All bytes that have arrived, and the error that ended the connection, if one did."""
    from kafka.errors import KafkaConnectionError

    parts: list[bytes] = []
    while True:
        try:
            part = sock.recv(_RECEIVE_BYTES)
        except _NOTHING_YET:
            return b"".join(parts), None
        except OSError as error:
            return b"".join(parts), KafkaConnectionError(error)
        if not part:
            return b"".join(parts), KafkaConnectionError("the broker closed the connection")
        parts.append(part)
