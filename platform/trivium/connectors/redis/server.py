"""Connections to a server of Redis or Valkey, each used by one call at a time."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from trivium.config.model.remote_lookups import RedisLookupSettings, redis_address
from trivium.connectors.remote.idle import IdleConnections
from trivium.connectors.remote.trouble import Trouble, optional
from trivium.core.clock import Deadline

_PASSING: Final = ("LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS", "UNKILLABLE", "OOM")
"""First words of a server's errors that pass by themselves."""
_ADDRESS: Final = "the URL in the variable: redis://HOST:PORT/DB"

Command = tuple[Any, ...]


class RedisServer:
    """Asks one server; a connection that fails is closed and with it those that wait for work.

    Connections are few: a call takes an idle one or opens its own, and the client around the lookup bounds the calls.
    """

    def __init__(self, settings: RedisLookupSettings, trouble: Trouble) -> None:
        self._redis: Any = optional("redis", "redis")
        self._connections: Any = optional("redis.connection", "redis")
        self._trouble = trouble
        self._options, self._secure = self._read(settings)
        self._idle = IdleConnections(_drop)

    def ask(self, commands: Sequence[Command], deadline: Deadline) -> list[Any]:
        """Send commands at once and return their replies.

        Raises:
            LookupUnavailable: the server does not answer within the deadline, or says that it cannot now.
            LookupAnswerError: it refuses, which asking again would not change.
        """
        connection = self._taken(deadline)
        try:
            if connection.is_connected:
                self._hold_to(connection, deadline)
            else:
                connection.connect()
            self._hold_to(connection, deadline)
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            replies = [self._reply(connection, deadline) for _ in commands]
        except (self._redis.RedisError, OSError) as error:
            self.close()
            self._idle.drop(connection)
            raise self._meaning(error) from self._trouble.cause(error)
        except BaseException:
            self._idle.drop(connection)
            raise
        self._idle.put(connection)
        return replies

    def close(self) -> None:
        """Close the connections that no call uses."""
        self._idle.close()

    def _taken(self, deadline: Deadline) -> Any:
        idle = self._idle.take()
        if idle is not None:
            return idle
        left = self._trouble.left(deadline)
        kind = self._connections.SSLConnection if self._secure else self._connections.Connection
        return kind(**self._options, socket_timeout=left, socket_connect_timeout=left)

    def _reply(self, connection: Any, deadline: Deadline) -> Any:
        self._hold_to(connection, deadline)
        return connection.read_response(disable_decoding=True)

    def _hold_to(self, connection: Any, deadline: Deadline) -> None:
        """Let no operation on the connection last beyond the deadline, which the client only takes when it connects."""
        connection._sock.settimeout(self._trouble.left(deadline))  # noqa: SLF001

    def _read(self, settings: RedisLookupSettings) -> tuple[dict[str, Any], bool]:
        password = settings.password.get_secret_value() if settings.password else None
        host, port, db, secure = settings.host, settings.port, settings.db, settings.tls is not None
        username = settings.username
        if settings.url is not None:
            url = settings.url.get_secret_value()
            try:
                host, port, db, named = redis_address(url)
                own = self._connections.parse_url(url)
            except ValueError as error:
                raise self._trouble.wrong("its url is no URL of Redis", _ADDRESS) from self._trouble.cause(error)
            secure = secure or named
            username, password = own.get("username") or username, own.get("password") or password
        retry = self._redis.retry.Retry(self._redis.backoff.NoBackoff(), 0)
        options = {"host": host, "port": port, "db": db, "username": username, "password": password, "retry": retry}
        if secure:
            tls = settings.tls
            options |= {"ssl_check_hostname": True}
            if tls is not None:
                options |= {
                    "ssl_ca_certs": tls.ca_file,
                    "ssl_certfile": tls.certificate_file,
                    "ssl_keyfile": tls.key_file,
                }
        return {**options, "protocol": 2}, secure

    def _meaning(self, error: Exception) -> Exception:
        """Return what an error of the client means for the lookup."""
        exceptions, trouble = self._redis.exceptions, self._trouble
        refused = isinstance(error, exceptions.AuthenticationError | exceptions.NoPermissionError)
        if refused or _word(error) == "NOAUTH":
            return trouble.wrong("the server refuses", "another username or password, or rights for it", error)
        if found := _of_certificates(error):
            return trouble.wrong(*found, error)
        passing = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError, OSError)
        if isinstance(error, passing) or _word(error) in _PASSING:
            return trouble.away(error)
        if _word(error) in ("MOVED", "ASK"):
            return trouble.wrong("expected one server, got a cluster", "a proxy of the cluster, or one server", error)
        return trouble.wrong("the server refuses", "what the keys hold, and the rights of the user", error)


def _drop(connection: Any) -> None:
    with suppress(Exception):
        connection.disconnect()


def _word(error: Exception) -> str:
    """Return the first word of what the server said, which the client takes away from errors it has a class for."""
    return str(getattr(error, "status_code", None) or str(error).partition(" ")[0])


def _of_certificates(error: Exception) -> tuple[str, str] | None:
    """Return what an error says of a certificate, and what to try; None where it is not about one."""
    if "ALERT" in str(error) and "CERTIFICATE" in str(error):
        return "the server refuses the client's certificate", "certificate_file and key_file of an authority it knows"
    causes = [error, error.__cause__, error.__context__]
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes) or "CERTIFICATE" in str(error):
        return "the server's certificate is not trusted", "the ca_file of its authority"
    return None
