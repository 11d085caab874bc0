"""Connections to a database, each used by one call at a time and reopened after it broke."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from trivium.connectors.remote.idle import IdleConnections
from trivium.connectors.remote.trouble import Trouble, optional
from trivium.connectors.sql.dialect import Dialect
from trivium.core.clock import Deadline
from trivium.core.errors import SourceError


class Database:
    """Runs statements under a deadline. A call takes an idle connection or opens its own."""

    def __init__(self, dialect: Dialect, trouble: Trouble) -> None:
        self._errors: Any = optional("adbc_driver_manager", "sql")
        self._dialect, self._trouble = dialect, trouble
        self._idle = IdleConnections(_drop)

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
                cursor.execute(self._dialect.hold_to(self._trouble.left(deadline)))
                yield cursor
        except self._errors.Error as error:
            self._idle.drop(connection)
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
            self._idle.drop(connection)
            raise
        self._idle.put(connection)

    def close(self) -> None:
        """Close the connections that no call uses."""
        self._idle.close()

    def _taken(self, deadline: Deadline) -> Any:
        idle = self._idle.take()
        if idle is not None:
            return idle
        return self._dialect.connect(self._trouble.left(deadline))


def _drop(connection: Any) -> None:
    with suppress(Exception):
        connection.close()
