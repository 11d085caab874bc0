"""kafka-python's network client with larger reads, which tells whoever waits that credentials were refused.

The stock transport asks the socket for 4 KiB at a time. Each of those reads gives up the interpreter lock and, while
the main thread works, waits for it again: fetching competes with processing and loses. And it takes a refused password
for one more reason to try again, until the time-out hides it.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

_RECEIVE_BYTES: Final = 256 << 10
_NOTHING_YET: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def network_client(**configs: Any) -> Any:
    """Return a `KafkaNetClient` for the client's option `kafka_client`."""
    from kafka.errors import SaslAuthenticationFailedError, UnsupportedSaslMechanismError
    from kafka.net.compat import KafkaNetClient
    from kafka.net.manager import KafkaConnectionManager
    from kafka.net.selector import NetworkSelector

    refusals = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError)

    class Manager(KafkaConnectionManager):  # type: ignore[misc]
        async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
            transport = await super()._build_transport(node, timeout_at=timeout_at)
            transport._sock_recv = lambda: _receive(transport._sock)  # noqa: SLF001
            return transport

        async def _connect(self, node: Any, conn: Any, **options: Any) -> None:
            await super()._connect(node, conn, **options)
            if conn.init_future.is_done and isinstance(conn.init_future.exception, refusals):
                self._auth_failures[node.node_id] = conn.init_future.exception  # the next use of the node raises it

    net = NetworkSelector(**configs)
    return KafkaNetClient(net=net, manager=Manager(net, **configs), **configs)


def _receive(sock: Any) -> tuple[bytes, Exception | None]:
    """Return all bytes that have arrived, or the error that ended the connection.

    Never both: the client drops what comes with an error, and a broker's last words before it hangs up say why.
    """
    from kafka.errors import KafkaConnectionError

    parts: list[bytes] = []
    ended: Exception | None = None
    while ended is None:
        try:
            if part := sock.recv(_RECEIVE_BYTES):
                parts.append(part)
            else:
                ended = KafkaConnectionError("the broker closed the connection")
        except _NOTHING_YET:
            break
        except OSError as error:
            ended = KafkaConnectionError(error)
    return b"".join(parts), None if parts else ended
