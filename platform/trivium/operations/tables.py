"""Finds a table and its dead letters by path or by pipeline file, without importing any executor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from deltalake.exceptions import DeltaError

from trivium.config import paths
from trivium.config.load import load
from trivium.config.problems import ConfigError
from trivium.delivery.snapshot import Snapshot
from trivium.operations.errors import ArgumentError

_SUFFIX: Final = "_dead_letters"


@dataclass(frozen=True)
class Tables:
    """Where a pipeline's rows and its dead letters are."""

    table: str
    dead_letters: str


def tables_of(named: str, environ: Mapping[str, str] = os.environ) -> Tables:
    """The tables of a pipeline file, or of a table's path: the dead letters of `x` are then at `x_dead_letters`.

    Raises:
        ConfigError: a pipeline file that does not say where they are.
    """
    if Path(named).suffix in (".yaml", ".yml"):
        return _of_file(Path(named), environ)
    bare = named.rstrip("/") if "://" in named else os.path.abspath(named)
    table = bare.removesuffix(_SUFFIX)
    return Tables(table, f"{table}{_SUFFIX}")


def existing(uri: str) -> str:
    """The path, if there is a Delta table.

    Raises:
        ArgumentError: there is none.
    """
    if Snapshot.find(uri) is None:
        raise ArgumentError(
            f"there is no Delta table at {uri}. Try: trivium run batch CONFIG writes it; or another path"
        )
    return uri


def snapshot_at(uri: str, at: int | datetime | None) -> Snapshot:
    """A table at a version, at a time, or now.

    Raises:
        ArgumentError: there is no such table or version.
    """
    newest = Snapshot.latest(existing(uri)).version
    try:
        return Snapshot.at(uri, at)
    except (DeltaError, OverflowError) as error:
        message = f"{uri} has no version {at}; its newest is {newest} ({str(error).splitlines()[0]})"
        raise ArgumentError(f"{message}. Try: --version {newest}") from error


def _of_file(file: Path, environ: Mapping[str, str]) -> Tables:
    document = load(file, environ)
    root = paths.project_root(file) or file.resolve().parent
    relative = paths.Relative.REFUSED if paths.in_ray_job(environ) else paths.Relative.RESOLVED
    base = paths.Base(file.resolve().parent, root, relative)
    places = (("table", "path"), ("dead_letters", "path"))
    found = [paths.resolve_data(document, place, base) for place in places]
    if None in found:
        for place, path in zip(places, found, strict=True):
            if path is None and not document.problems:
                document.add_at_key(place, "missing-key", f"{place[0]}.path is missing", f"{place[0]}: {{path: …}}")
        raise ConfigError(document.problems)
    return Tables(str(found[0]), str(found[1]))
