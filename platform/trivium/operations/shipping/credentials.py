"""Credentials of a pipeline: the variables of its file, and storage that lets it write."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from trivium.config.pipeline import Pipeline
from trivium.config.variables import named_variables
from trivium.delivery.errors import StorageError
from trivium.delivery.storage.storage import Storage
from trivium.operations.shipping.finding import Finding

_FOLDER: Final = "_trivium/tokens"
_CONTENT: Final = b"doctor"
_EXCLUSIVE: Final = "storage that refuses to create a file that is there"


def look_at_credentials(config: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield for each variable of a pipeline file whether it is set; never its value."""
    for name, default in named_variables(config).items():
        if name in environ:
            yield Finding("variable", "ok", "set", name)
        elif default is not None:
            yield Finding("variable", "ok", "not set, has a default", name)
        else:
            yield Finding("variable", "error", "none", name, "a value", f"export {name}=…")


def look_at_storage(pipeline: Pipeline) -> Iterator[Finding]:
    """Write, read and remove a small file where the table lies and where the dead letters do.

    Locally it is created twice, which must fail. On S3 only the table's log is created under a condition, by the Delta
    library, which has no way to try it without a table.
    """
    for place, uri in (("table", pipeline.config.table.path), ("dead_letters", pipeline.config.dead_letters.path)):
        yield _tried(f"{place}: {uri}", uri)


def _tried(where: str, uri: str) -> Finding:
    name = f"{_FOLDER}/doctor-{secrets.token_hex(8)}"
    try:
        storage = Storage(uri)
        storage.create(name, _CONTENT)
        try:
            if storage.read(name) != _CONTENT:
                return Finding("storage", "error", "other bytes", where, "what was written", "storage of one writer")
            if uri.startswith("s3://"):
                return Finding("storage", "ok", "writes, reads and removes; conditional puts were not tried", where)
            exclusive = _refuses_a_second(storage, name)
        finally:
            storage.remove(name)
    except (StorageError, OSError) as error:
        attempt = "its path, and permission to write there"
        return Finding("storage", "error", str(error), where, "a place to write to", attempt)
    if exclusive:
        return Finding("storage", "ok", "creates exclusively", where)
    attempt = "a volume with exclusive creation; without it two runs overwrite each other"
    return Finding("storage", "error", "two files of one name", where, _EXCLUSIVE, attempt)


def _refuses_a_second(storage: Storage, name: str) -> bool:
    try:
        storage.create(name, _CONTENT)
    except StorageError:
        return True
    return False
