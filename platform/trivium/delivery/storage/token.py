"""The proof, before the first event, that driver and workers see the same storage."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from trivium.delivery.errors import StorageError, StorageNotShared
from trivium.delivery.storage.storage import Storage

_FOLDER: Final = "_trivium/tokens"


@dataclass(frozen=True)
class StorageToken:
    """A random text the driver wrote at `path` below `uri`."""

    uri: str
    path: str
    content: str


def write_token(uri: str) -> StorageToken:
    """Write a token, on the driver; `remove_token` takes it away again."""
    token = StorageToken(uri, f"{_FOLDER}/{secrets.token_hex(8)}", secrets.token_hex(16))
    Storage(uri).create(token.path, token.content.encode())
    return token


def prove_shared(token: StorageToken, node: str) -> None:
    """Read the token, on a worker. `node` names this machine in the error.

    Raises:
        StorageNotShared: there is no such file here, or it holds something else.
    """
    try:
        found = Storage(token.uri).read(token.path).decode()
    except StorageError as error:
        raise _not_shared(token, node, str(error)) from error
    if found != token.content:
        raise _not_shared(token, node, "the file there has another content")


def remove_token(token: StorageToken) -> None:
    """Remove the token, on the driver."""
    Storage(token.uri).remove(token.path)


def _not_shared(token: StorageToken, node: str, reason: str) -> StorageNotShared:
    message = (
        f"node {node} does not see what the driver wrote to {token.uri} ({token.path}): {reason}. "
        "Try: use storage that driver and workers share"
    )
    return StorageNotShared(message)
