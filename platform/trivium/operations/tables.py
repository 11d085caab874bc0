"""Finds a table and its dead letters by path or by pipeline file, without importing any executor."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from deltalake.exceptions import DeltaError

from trivium.config import paths
from trivium.config.include import include
from trivium.config.problems import ConfigError
from trivium.config.yaml.load import load
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.delta.snapshot import Snapshot
from trivium.operations.errors import ArgumentError

_SUFFIX: Final = "_dead_letters"
_LOG: Final = "_delta_log"
_SHOWN: Final = 3
_NEEDED: Final = (
    *("event_id", "event_date", "_event_type", "_runtime", "_ingested_at", "_source", "_position", "_row"),
)


@dataclass(frozen=True)
class Owned:
    """Owner and description of an entry's event types, which are a name or a glob: no executor is imported for them."""

    types: str
    owner: str | None
    description: str | None


@dataclass(frozen=True)
class Tables:
    """Tables of a pipeline: of its rows and of its dead letters; `owned` is known of a pipeline file alone."""

    table: str
    dead_letters: str
    owned: tuple[Owned, ...] = ()

    def owner_of(self, event_type: str) -> Owned | None:
        """Return whose an event type is, as far as the pipeline file says it."""
        return next((each for each in self.owned if fnmatchcase(event_type, each.types)), None)


def tables_of(named: str, environ: Mapping[str, str] = os.environ) -> Tables:
    """Return the tables of a pipeline file, or of a table's path: the dead letters of `x` are then at `x_dead_letters`.

    Raises:
        ConfigError: a pipeline file that does not say where they are.
    """
    if Path(named).suffix in (".yaml", ".yml"):
        return _of_file(Path(named), environ)
    bare = named.rstrip("/") if "://" in named else os.path.abspath(named)
    table = bare.removesuffix(_SUFFIX)
    return Tables(table, f"{table}{_SUFFIX}")


def existing(uri: str) -> str:
    """Return the path, if there is a Delta table.

    Raises:
        ArgumentError: there is none; says what is there instead, and which tables lie near.
    """
    if Snapshot.find(uri) is None:
        near = _near(uri)
        advice = f"one of {', '.join(near)}" if near else "trivium run batch CONFIG writes it; or another path"
        raise ArgumentError(f"there is no Delta table at {uri}{_instead(uri)}. Try: {advice}")
    return uri


def _instead(uri: str) -> str:
    """Return what lies at a local path that holds no table."""
    folder = Path(uri)
    if "://" in uri or not _is_folder(folder):
        return ""
    if next(folder.iterdir(), None) is None:
        return ": the folder is empty"
    found = (each for pattern in ("*.parquet", "*/*.parquet") for each in folder.glob(pattern))
    if not (folder / _LOG).is_dir() and next(found, None) is not None:
        return f": the folder holds Parquet files, but no {_LOG}"
    return f": the folder has no log of a table in {_LOG}"


def _near(uri: str) -> list[str]:
    """Return the tables right below a local path, or beside it, a few of them."""
    if "://" in uri:
        return []
    folder = Path(uri)
    for place in (folder, folder.parent):
        if _is_folder(place):
            found = sorted(str(each) for each in place.iterdir() if _is_folder(each / _LOG))
            if found:
                return found[:_SHOWN]
    return []


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)


def owned(uri: str, pipeline: str) -> Snapshot:
    """Return the newest version of a pipeline's own table.

    Raises:
        ArgumentError: there is no table, or it is not this pipeline's.
    """
    snapshot = Snapshot.latest(existing(uri))
    if snapshot.pipeline != pipeline:
        owner = f"the pipeline {snapshot.pipeline}" if snapshot.pipeline else "no pipeline"
        message = f"expected the table of the pipeline {pipeline} at {uri}, got one that belongs to {owner}"
        raise ArgumentError(f"{message}. Try: another table.path, or the pipeline file of its owner")
    return snapshot


def check_columns(uri: str, snapshot: Snapshot) -> None:
    """Prove that a table has the columns by which a pipeline's rows are identified.

    Raises:
        ArgumentError: it has not, so no pipeline wrote it.
    """
    there = {field.name for field in snapshot.schema.fields}
    missing = [name for name in _NEEDED if name not in there]
    if missing:
        message = f"{uri} is a Delta table, but no pipeline's: it has no column {', '.join(missing)}"
        raise ArgumentError(f"{message}. Try: the table of a pipeline; others are read by DuckDB or Polars as they are")


def letters_table(uri: str) -> str | None:
    """Return the path of a table of dead letters, or None if there is no table.

    Raises:
        ArgumentError: the table that is there holds no dead letters.
    """
    snapshot = Snapshot.find(uri)
    if snapshot is None:
        return None
    there = {field.name for field in snapshot.schema.fields}
    missing = [name for name in dead_letters.SCHEMA.names if name not in there]
    if missing:
        message = f"expected a table of dead letters at {uri}, got one without the column {', '.join(missing)}"
        raise ArgumentError(f"{message}. Try: the pipeline file, which says where its dead letters are")
    return uri


def snapshot_at(uri: str, at: int | datetime | None) -> Snapshot:
    """Return a table at a version, at a time, or now.

    Raises:
        ArgumentError: there is no such table or version.
    """
    newest = Snapshot.latest(existing(uri)).version
    try:
        return Snapshot.at(uri, at)
    except (DeltaError, OverflowError, ValueError) as error:
        message = f"{uri} has no version {at}; its newest is {newest} ({str(error).splitlines()[0]})"
        raise ArgumentError(f"{message}. Try: --version {newest}") from error


def _of_file(file: Path, environ: Mapping[str, str]) -> Tables:
    document = load(file, environ)
    root = paths.project_root(file) or file.resolve().parent
    relative = paths.Relative.REFUSED if paths.in_ray_job(environ) else paths.Relative.RESOLVED
    base = paths.Base(root, relative)
    places = (("table", "path"), ("dead_letters", "path"))
    found = [paths.resolve_data(document, place, base) for place in places]
    if None in found:
        for place, path in zip(places, found, strict=True):
            if path is None and not document.problems:
                document.add_at_key(place, "missing-key", f"{place[0]}.path is missing", f"{place[0]}: {{path: …}}")
        raise ConfigError(document.problems)
    include(document, environ, root.resolve())
    return Tables(str(found[0]), str(found[1]), tuple(_owned(document.value.get("executors"))))


def _owned(entries: Any) -> Iterator[Owned]:
    """Yield what readable entries say; `trivium check` names what is wrong with others."""
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            named, owner, description = (entry.get(key) for key in ("type", "owner", "description"))
            for types in named if isinstance(named, list) else [named]:
                yield Owned(str(types), owner and str(owner), description and str(description))
