"""Checks between executors, lookups and the shared table. Problems point at the executor or the lookup."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final

import pyarrow as pa

from trivium.config.key_file import KeyFileUnreadable, read_keys, weakness
from trivium.config.model.kinds import Kinds
from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.model.sources import SOURCE_KINDS
from trivium.config.pipeline import BoundLookup
from trivium.config.problems import Path
from trivium.config.yaml.document import Document
from trivium.config.yaml.interpolate import variable
from trivium.contract.declaration import Declaration
from trivium.contract.enrichment import Enrichment
from trivium.contract.source import EVENT_TYPE
from trivium.core.errors import RunError
from trivium.core.suggest import did_you_mean, one_of
from trivium.types.spec import UTC_MICROSECONDS, FieldSpec

_IDENTITY: Final = {"event_id": pa.string(), "event_time": UTC_MICROSECONDS}


@dataclass(frozen=True)
class Listed:
    """An executor of the file whose class was found: its index in the list, what its class declares, its owner."""

    index: int
    declaration: Declaration
    owner: str | None = None

    @property
    def place(self) -> Path:
        """Place at which the file names the executor."""
        return ("executors", self.index, "type")

    @property
    def name(self) -> str:
        """The event type."""
        return self.declaration.event_type

    @property
    def owned_name(self) -> str:
        """The event type with its owner, if the file names one."""
        return f"{self.name} (owned by {self.owner})" if self.owner else self.name


def check_listed_once(document: Document) -> None:
    """Check that no event type is listed twice."""
    first: dict[str, Path] = {}
    for index, event_type in event_types(document):
        place = ("executors", index, "type")
        if event_type in first:
            message = f"{event_type} is listed twice, first in {document.line_of(first[event_type])}"
            document.add(place, "executor-listed-twice", message, "remove one of them")
        first.setdefault(event_type, place)


def event_types(document: Document) -> Iterator[tuple[int, str]]:
    """Return the event types the file lists, with their index, as far as they are readable."""
    listed = document.value.get("executors")
    for index, entry in enumerate(listed if isinstance(listed, list) else []):
        event_type = entry.get("type") if isinstance(entry, dict) else None
        if not isinstance(event_type, str) or ("executors", index, "type") in document.broken:
            continue
        if re.fullmatch(EVENT_TYPE, event_type):
            yield index, event_type


def check_columns(document: Document, executors: Sequence[Listed]) -> None:
    """Check that executors agree on the shared table's columns, and leave the engine's names alone."""
    columns: dict[str, tuple[Listed, pa.Field]] = {}
    for executor in executors:
        for column in executor.declaration.row_schema:
            _check_name(document, executor, column)
            other, known = columns.setdefault(column.name.casefold(), (executor, column))
            if column.name not in _IDENTITY and (known.name, known.type) != (column.name, column.type):
                mine, theirs = f"{column.name} {column.type}", f"{known.name} {known.type}"
                message = f"{executor.owned_name} writes the column {mine}, {other.owned_name} writes {theirs}"
                document.add(executor.place, "column-conflict", message, "one table: one name, one type")


def _check_name(document: Document, executor: Listed, column: pa.Field) -> None:
    identity = _IDENTITY.get(column.name)
    if column.name.startswith("_") or column.name.casefold() == "event_date":
        message = f"{executor.name} writes the column {column.name}, a name the engine keeps for itself"
        document.add(executor.place, "reserved-column", message, f"rename it, for example to x{column.name}")
    elif identity is not None and (column.type != identity or column.nullable):
        what = f"{column.type}{' or null' if column.nullable else ''}"
        message = f"{executor.name} redefines {column.name} as {what}; every row has it as {identity}"
        document.add(executor.place, "reserved-column", message, "leave it as NormalizedEvent declares it")


def check_lookups(document: Document, executors: Sequence[Listed]) -> None:
    """Check that every enrichment has its lookup, and all users of a lookup agree on its key and columns."""
    declared = document.value.get("lookups")
    lookups = declared if isinstance(declared, dict) else {}
    columns: dict[tuple[str, str], tuple[str, pa.DataType]] = {}
    for executor in executors:
        for name, enrichment in executor.declaration.enrichments.items():
            if enrichment.lookup not in lookups:
                message = f"{executor.name} needs the lookup {enrichment.lookup}, which the file does not declare"
                document.add(executor.place, "unknown-lookup", message, _lookup_hint(enrichment.lookup, lookups))
                continue
            fields = executor.declaration.enrichment_fields[name]
            _check_fields(document, executor, enrichment, fields, columns)
            _check_key(document, executor, enrichment, lookups[enrichment.lookup], columns)


def check_keys(document: Document, lookups: Mapping[str, BoundLookup]) -> None:
    """Check that lookups can answer the keys that enrichments have."""
    for name, bound in lookups.items():
        problem = bound.config.key_problem(bound.key_type)
        if problem:
            place: Path = ("lookups", name)
            inner = (*place, "key")
            message = f"{document.dotted(place)}: {problem}"
            document.add(inner if inner in document.values else place, "wrong-key", message)


def check_plugin_variables(document: Document, secrets: Collection[Path]) -> None:
    """Hold plug-ins' settings to values that may stand in the plan: a variable's value may only be at `secrets`."""
    lookups = document.value.get("lookups")
    sections: dict[Path, Kinds[Any]] = {("lookups", name): LOOKUP_KINDS for name in _names(lookups)}
    sections["batch", "source"] = SOURCE_KINDS
    for section, kinds in sections.items():
        settings = document.at(section)
        if not isinstance(settings, dict) or settings.get("type") in kinds.built_in:
            continue
        for place, reference in document.references.items():
            free = place in secrets or place[len(section) :] in (("path",), ("type",))
            if place[: len(section)] == section and not free:
                message = f"{document.dotted(place)}: a plug-in's setting takes no variable, got {reference}"
                hint = "let the plug-in read the variable, or a file that the setting names; or make it a SecretStr"
                document.add(place, "plugin-variable", message, hint)


def _names(section: Any) -> list[str]:
    return list(section) if isinstance(section, dict) else []


def check_used(document: Document, executors: Sequence[Listed]) -> None:
    """Check that no lookup is declared for nothing."""
    used = {e.lookup for executor in executors for e in executor.declaration.enrichments.values()}
    declared = document.value.get("lookups")
    for name in declared if isinstance(declared, dict) else ():
        if name not in used:
            place = ("lookups", name)
            hint = did_you_mean(name, used) or "remove it"
            document.add_at_key(place, "unused-lookup", f"no executor of the pipeline uses the lookup {name}", hint)


def _lookup_hint(name: str, lookups: dict[str, Any]) -> str:
    return one_of(name, lookups) or f"lookups: {{{name}: {{type: parquet, path: …, key: …}}}}"


def _check_fields(
    document: Document,
    executor: Listed,
    enrichment: Enrichment,
    fields: Sequence[FieldSpec],
    columns: dict[tuple[str, str], tuple[str, pa.DataType]],
) -> None:
    for spec in fields:
        user, known = columns.setdefault((enrichment.lookup, spec.wire), (executor.name, spec.type.arrow))
        if known != spec.type.arrow:
            what = f"the column {spec.wire} of the lookup {enrichment.lookup}"
            message = f"{executor.name} reads {what} as {spec.type.arrow}, {user} as {known}"
            document.add(executor.place, "lookup-conflict", message, "one lookup: one name, one type")


def _check_key(
    document: Document,
    executor: Listed,
    enrichment: Enrichment,
    lookup: Any,
    columns: dict[tuple[str, str], tuple[str, pa.DataType]],
) -> None:
    """Check that a key has as many values as the lookup's, each of the type that all its users give it."""
    types = executor.declaration.keys[enrichment.name].types
    given = lookup.get("key") if isinstance(lookup, dict) else None
    template = isinstance(given, str) and "{" in given  # over all values of a key
    names = [given] if isinstance(given, str) and not template else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        names = [f"value {place}" for place in range(1, len(types) + 1)]
    if len(names) != len(types):
        what = f"{executor.name} asks {enrichment.lookup} by {enrichment.key}"
        message = f"{what}: expected {len(names)} values ({', '.join(names)}), got {len(types)}"
        document.add(executor.place, "key-type", message, "give the enrichment and the lookup a key of as many values")
        return
    for name, own in zip(names, types, strict=True):
        user, known = columns.setdefault((enrichment.lookup, name), (executor.name, own))
        if known != own:
            what = f"{enrichment.lookup} by {enrichment.key}, which is {own}"
            message = f"{executor.name} asks {what}; its key {name} is {known} for {user}"
            document.add(executor.place, "key-type", message, "give the event's field the type of the lookup's key")


def check_api_keys(document: Document, places: Sequence[Path], taken: Mapping[str, str]) -> None:
    """API keys that variables give can be used; `taken` has their values, of which no message holds a character."""
    for place in places:
        reference = document.at(place)
        name = variable(reference) if isinstance(reference, str) else None
        wrong = weakness(taken[name]) if name and name in taken and place not in document.broken else None
        if wrong:
            document.add(place, "api-key", f"{reference}: {wrong}")


def check_key_file(document: Document, place: Path) -> None:
    """Check that a file of API keys can be used, where this machine has it; replicas may be on others."""
    path = document.at(place)
    if not isinstance(path, str) or not path.startswith("/") or place in document.broken:
        return
    try:
        read_keys(FilePath(path))
    except KeyFileUnreadable:
        return
    except RunError as error:
        document.add(place, "api-key", str(error))
