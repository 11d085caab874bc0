"""External systems, a package each, imported on use; opened here by the `type` of the pipeline file."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.model.sources import SOURCE_KINDS, FileSource
from trivium.config.pipeline import BoundLookup
from trivium.connectors.archive.columns import SourceColumns
from trivium.connectors.archive.listing import root_of
from trivium.connectors.archive.plugin import PluginArchive, naming
from trivium.connectors.archive.reader import SourceReader
from trivium.contract.declaration import Declaration
from trivium.contract.lookup import Lookup, LookupRequest, SnapshotLookup, is_in_memory
from trivium.contract.lookup_settings import LookupSettings, RemoteLookupSettings
from trivium.contract.source import SourceRequest, SourceSettings
from trivium.core.clock import Clock
from trivium.core.errors import RunError, TriviumError

_SOURCES: Final = {
    "delta": "trivium.connectors.delta.source:DeltaArchive",
    "ndjson": "trivium.connectors.ndjson.source:NdjsonArchive",
    "parquet": "trivium.connectors.parquet.source:ParquetArchive",
}
_LOOKUPS: Final = {
    "csv": "trivium.connectors.csv.lookup:CsvLookup",
    "delta": "trivium.connectors.delta.lookup:DeltaLookup",
    "http": "trivium.connectors.http.lookup:HttpLookup",
    "parquet": "trivium.connectors.parquet.lookup:ParquetLookup",
    "redis": "trivium.connectors.redis.lookup:RedisLookup",
    "serve": "trivium.connectors.serve.lookup:ServeLookup",
    "sql": "trivium.connectors.sql.lookup:SqlLookup",
}


def open_source(
    section: SourceSettings, declarations: Mapping[str, Declaration], tag_field: str | None
) -> SourceReader:
    """Return the reader of a batch source of the pipeline file; nothing is read yet.

    `tag_field` is the column that names event types; None where the source says the type of all events.

    Raises:
        SourceError: a plug-in does not open.
    """
    if isinstance(section, FileSource) and section.type in _SOURCES:
        columns = SourceColumns(section, root_of(section.path)[0].uri, declarations, tag_field)
        module, _, attribute = _SOURCES[section.type].partition(":")
        return SourceReader(section, getattr(importlib.import_module(module), attribute)(section, columns), columns)
    columns, uri = SourceColumns(section, None, declarations, tag_field), f"the source {place_of(section)}"
    with naming(uri, "opening it"):
        source = SOURCE_KINDS.plugin(section.type)(section, SourceRequest(columns=columns.wanted()))
    return SourceReader(section, PluginArchive(source, uri, columns), columns)


def open_lookup(bound: BoundLookup, clock: Clock, *, pinned: bool = False, snapshot: str | None = None) -> Lookup:
    """Return a lookup of the pipeline file, ready to answer; a pinned one stays as it is.

    It opens the state that `snapshot` names, if it can go back to it.

    Raises:
        TriviumError: it cannot be opened as declared.
    """
    lookup = _made(bound, clock, pinned=pinned, snapshot=snapshot)
    if bound.config.type in _LOOKUPS:
        lookup.load()
    return lookup  # type: ignore[no-any-return]


def check_lookup(bound: BoundLookup, clock: Clock) -> str:
    """Prove that a lookup can be read as declared, at less than the cost of opening it where it can; say what was read.

    Raises:
        TriviumError: it is not, or cannot.
    """
    lookup = _made(bound, clock, pinned=True)
    try:
        return (lookup.check() or "") if bound.config.type in _LOOKUPS else ""
    finally:
        getattr(lookup, "close", lambda: None)()


def place_of(section: LookupSettings | SourceSettings) -> str:
    """Return where a lookup or a source reads from: the path of its section, its system, or its type."""
    if isinstance(section, RemoteLookupSettings):
        return str(getattr(section, "place", f"{section.type}://"))
    return str(getattr(section, "path", section.type))


def snapshot_of(lookup: Lookup) -> str:
    """Return a text that changes when the lookup's facts do; the same one always where a lookup names none."""
    return lookup.snapshot() if isinstance(lookup, SnapshotLookup) else ""


def _made(bound: BoundLookup, clock: Clock, *, pinned: bool, snapshot: str | None = None) -> Any:
    name = bound.config.type
    request = LookupRequest(
        name=bound.name,
        fields=bound.columns,
        key_type=bound.key_type,
        clock=clock,
        pinned=pinned,
        as_of=bound.as_of,
        snapshot=snapshot,
    )
    cls = _class_of(name)
    if name in _LOOKUPS:
        return cls(bound.settings(), request)
    try:
        return cls(bound.settings(), request)
    except TriviumError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:300]
        raise RunError(f"the lookup {bound.name} ({name}) did not open: {said}") from error


def _class_of(name: str) -> Any:
    if name not in _LOOKUPS:
        return LOOKUP_KINDS.plugin(name)
    module, _, attribute = _LOOKUPS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def answers_from_memory(bound: BoundLookup) -> bool:
    """Return whether a lookup is held in the memory of the processes that use it."""
    return is_in_memory(_class_of(bound.config.type))
