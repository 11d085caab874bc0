"""Connections to a database, each used by one call at a time and reopened after it broke."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from trivium.connectors.remote.trouble import Trouble, optional
from trivium.connectors.sql.dialect import Dialect
from trivium.core.clock import Deadline
from trivium.core.errors import SourceError


class Database:
    """Runs statements under a deadline. A call takes an idle connection or opens its own."""

    def __init__(self, dialect: Dialect, trouble: Trouble) -> None:
        self._errors: Any = optional("adbc_driver_manager", "sql")
        self._dialect, self._trouble = dialect, trouble
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    @contextmanager
    def cursor(self, deadline: Deadline) -> Iterator[Any]:
        """Hand out a cursor whose statements end with the deadline.

        Raises:
            LookupUnavailable: the database is not there, or not in time.
            LookupAnswerError: it refuses what asking again would not change.
        """
        connection: Any = None
        try:
            connection = self._taken(deadline)
            with connection.cursor() as cursor:
                cursor.execute(self._dialect.hold_to(self._left(deadline)))
                yield cursor
        except self._errors.Error as error:
            self._drop(connection)
            self.close()
            said = str(error).partition("Query was:")[0]
            if self._dialect.passes(error):
                raise self._trouble.away(said) from self._trouble.cause(error)
            raise self._trouble.wrong(
                "the database refuses", "tables, columns and rights as the section needs", said
            ) from self._trouble.cause(error)
        except SourceError as error:
            raise self._trouble.wrong(str(error), "the path of the file, or the URI") from self._trouble.cause(error)
        except BaseException:
            self._drop(connection)
            raise
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """Close the connections that no call uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            self._drop(connection)

    def _taken(self, deadline: Deadline) -> Any:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._dialect.connect(self._left(deadline))

    def _left(self, deadline: Deadline) -> float:
        left = deadline.remaining()
        if left <= 0:
            raise self._trouble.away("no time is left to ask")
        return left

    def _drop(self, connection: Any) -> None:
        with suppress(Exception):
            connection.close()
