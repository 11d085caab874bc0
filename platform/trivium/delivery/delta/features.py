"""Features of Delta that another engine may have put into a table, and which of them are kept to here.

Allowed are features that need nothing of us as long as the table does not use them: append-only, invariants, CHECK
constraints, generated columns, column mapping of an old protocol. Whether it uses them follows from its properties and
from the metadata of its columns, which is also how protocols without lists of features carry them. The change data feed
needs nothing either: rows that were added or removed follow from the data files. Every other feature is refused by its
name in Delta's protocol, those that did not exist when this was written included.

Readers are refused what would change the rows they get; writers also what they would have to keep to. Writers ask again
at every commit, so that a feature switched on beside a running stream stops it before it breaks anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import unquote

from deltalake import Metadata, Schema
from deltalake.table import ProtocolVersions

from trivium.delivery.errors import PreconditionFailed, UnsupportedFeature

_READER_VERSION: Final = 3
_WRITER_VERSION: Final = 7
_LEGACY_WRITER_VERSION: Final = 5  # 6 means identity columns, which deltalake does not commit to
_READ: Final = frozenset({"timestampNtz"})
_WRITTEN: Final = _READ | {"appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns"}
_APPEND_ONLY: Final = "delta.appendOnly"
_CONSTRAINT: Final = "delta.constraints."
_MAPPING: Final = "delta.columnMapping.mode"
_SWITCHES: Final = {
    "delta.enableDeletionVectors": "deletionVectors",
    "delta.enableRowTracking": "rowTracking",
    "delta.enableInCommitTimestamps": "inCommitTimestamp",
    "delta.enableTypeWidening": "typeWidening",
    "delta.enableIcebergCompatV1": "icebergCompatV1",
    "delta.enableIcebergCompatV2": "icebergCompatV2",
    "delta.enableIcebergCompatV3": "icebergCompatV3",
}
_ROWS: Final = frozenset({"deletionVectors", "columnMapping"})  # of the switches, those that readers must know
_COLUMN_METADATA: Final = {
    "delta.invariants": "invariants",
    "delta.generationExpression": "generatedColumns",
    "delta.identity.start": "identityColumns",
    "delta.identity.step": "identityColumns",
    "CURRENT_DEFAULT": "allowColumnDefaults",
}
_WORDS: Final = {
    "deletionVectors": "deletion vectors",
    "columnMapping": "column mapping",
    "v2Checkpoint": "v2 checkpoints",
    "rowTracking": "row tracking",
    "checkConstraints": "CHECK constraints",
    "generatedColumns": "generated columns",
    "identityColumns": "identity columns",
    "inCommitTimestamp": "in-commit timestamps",
    "typeWidening": "type widening",
    "typeWidening-preview": "type widening",
    "clustering": "liquid clustering",
    "variantType": "the type variant",
    "variantType-preview": "the type variant",
    "allowColumnDefaults": "column defaults",
    "domainMetadata": "domain metadata",
    "icebergCompatV1": "Iceberg compatibility",
    "icebergCompatV2": "Iceberg compatibility",
    "collations": "collations",
    "collations-preview": "collations",
}
_ADVICE: Final = {
    "checkConstraints": "ALTER TABLE … DROP CONSTRAINT {detail}, and let the executor hold the rule",
    "deletionVectors": (
        "in Spark: ALTER TABLE … SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'false'), REORG TABLE … APPLY "
        "(PURGE), ALTER TABLE … DROP FEATURE deletionVectors"
    ),
    "generatedColumns": "drop the column {detail}, or a new table path",
    "identityColumns": "drop the identity column, or a new table path",
}


@dataclass(frozen=True)
class Feature:
    """A feature in use: its name in Delta's protocol, where it stands, and the part of it a person would drop."""

    name: str
    where: str
    detail: str = ""

    def __str__(self) -> str:
        words = _WORDS.get(self.name)
        return f"{words} ({self.name}: {self.where})" if words else f"{self.name} ({self.where})"

    @property
    def advice(self) -> str:
        """Return what to do about it."""
        general = f"ALTER TABLE … DROP FEATURE {self.name} in the engine that added it, or a new table path"
        return _ADVICE.get(self.name, general).format(detail=self.detail)


class TableHead(Protocol):
    """A table's columns, properties and protocol: a DeltaTable, or what is kept of one."""

    @property
    def table_uri(self) -> str:
        """The table's URI."""

    def schema(self) -> Schema:
        """Return the columns."""

    def metadata(self) -> Metadata:
        """Return properties and partition columns."""

    def protocol(self) -> ProtocolVersions:
        """Return the versions and features that readers and writers have to know."""


def check_readable(table: TableHead) -> None:
    """Prove that a reader gets the table's rows without knowing more than we do.

    Raises:
        UnsupportedFeature: it would have to; names each feature.
    """
    _refuse(table, reading_features(table), "read")


def check_times(table: TableHead) -> None:
    """Prove that the versions of a table have the times of their log entries' files.

    Raises:
        UnsupportedFeature: in-commit timestamps hold instead.
    """
    kept = [each for each in writing_features(table) if each.name == "inCommitTimestamp"]
    _refuse(table, kept, "read as of a time; --version is right")


def check_writable(table: TableHead) -> None:
    """Prove that a writer keeps to all that the table asks of writers.

    Raises:
        UnsupportedFeature: it would have to do what we do not; names each feature.
    """
    _refuse(table, writing_features(table), "written")


def check_replaceable(table: TableHead) -> None:
    """Prove that rows of the table may be replaced.

    Raises:
        PreconditionFailed: the table is append-only.
    """
    if is_append_only(table):
        message = f"table {_place(table)}: its property {_APPEND_ONLY} = true forbids to replace or remove rows"
        advice = f"ALTER TABLE … SET TBLPROPERTIES ('{_APPEND_ONLY}' = 'false'), or a new table path"
        raise PreconditionFailed(f"{message}; nothing was written. Try: {advice}")


def is_append_only(table: TableHead) -> bool:
    """Return whether rows may only be added. Moving them to other files, which changes no row, is allowed."""
    return _is_on(table.metadata().configuration, _APPEND_ONLY)


def reading_features(table: TableHead) -> list[Feature]:
    """Return the features in use that stand between a reader and the right rows."""
    protocol, properties = table.protocol(), table.metadata().configuration
    found = [Feature(name, "reader feature") for name in protocol.reader_features or () if name not in _READ]
    if protocol.min_reader_version > _READER_VERSION:
        found.append(Feature(f"reader version {protocol.min_reader_version}", "protocol"))
    return _distinct([*found, *(each for each in _switched_on(properties) if each.name in _ROWS)])


def writing_features(table: TableHead) -> list[Feature]:
    """Return the features in use that ask of writers what we do not do; those of readers are among them."""
    protocol, properties = table.protocol(), table.metadata().configuration
    found = [Feature(name, "writer feature") for name in protocol.writer_features or () if name not in _WRITTEN]
    if protocol.min_writer_version > _WRITER_VERSION:
        found.append(Feature(f"writer version {protocol.min_writer_version}", "protocol"))
    elif _LEGACY_WRITER_VERSION < protocol.min_writer_version < _WRITER_VERSION:
        found.append(Feature("identityColumns", f"writer version {protocol.min_writer_version}"))
    constraints = [
        Feature("checkConstraints", f"{name} = {rule}", name.removeprefix(_CONSTRAINT))
        for name, rule in properties.items()
        if name.startswith(_CONSTRAINT)
    ]
    columns = _of_columns(table.schema().to_json())
    return _distinct([*reading_features(table), *found, *_switched_on(properties), *constraints, *columns])


def _refuse(table: TableHead, features: list[Feature], doing: str) -> None:
    if features:
        listed = "; ".join(map(str, features))
        message = f"table {_place(table)} uses what trivium does not implement, so it is not {doing}: {listed}"
        raise UnsupportedFeature(f"{message}. Try: {features[0].advice}")


def _place(table: TableHead) -> str:
    return unquote(table.table_uri.removeprefix("file://")).rstrip("/")


def _switched_on(properties: dict[str, str]) -> Iterator[Feature]:
    for name, feature in _SWITCHES.items():
        if _is_on(properties, name):
            yield Feature(feature, f"property {name} = true")
    if properties.get(_MAPPING, "none").lower() != "none":
        yield Feature("columnMapping", f"property {_MAPPING} = {properties[_MAPPING]}")
    if properties.get("delta.checkpointPolicy", "classic").lower() != "classic":
        yield Feature("v2Checkpoint", f"property delta.checkpointPolicy = {properties['delta.checkpointPolicy']}")
    for name, value in properties.items():
        feature = name.removeprefix("delta.feature.")
        if feature != name and feature not in _WRITTEN and value.lower() in ("supported", "enabled"):
            yield Feature(feature, f"property {name} = {value}")


@lru_cache(maxsize=64)
def _of_columns(schema: str) -> tuple[Feature, ...]:
    return tuple(_of_type(json.loads(schema), ""))


def _of_type(kind: Any, inside: str) -> Iterator[Feature]:
    """Yield what the metadata of a type's fields says, those of lists, maps and structs within it included."""
    if not isinstance(kind, dict):
        return
    for field in kind.get("fields", ()):
        place = f"{inside}{field['name']}"
        for key, feature in _COLUMN_METADATA.items():
            if (rule := field.get("metadata", {}).get(key)) is not None:
                yield Feature(feature, f"column {place}: {key} = {rule}", place)
        yield from _of_type(field["type"], f"{place}.")
    for part in ("elementType", "keyType", "valueType"):
        yield from _of_type(kind.get(part), inside)


def _is_on(properties: dict[str, str], name: str) -> bool:
    return properties.get(name, "false").lower() == "true"


def _distinct(features: list[Feature]) -> list[Feature]:
    """Return one of each name and detail: a feature is listed for readers, for writers and by a property."""
    return list({(each.name, each.detail): each for each in reversed(features)}.values())[::-1]
