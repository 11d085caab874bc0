"""Features that other engines put into a table's log, written by hand: protocols, properties, column metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deltalake import DeltaTable


@dataclass(frozen=True)
class Given:
    """What was given to a table. `column` is metadata put on the column `delay`."""

    reader: int = 1
    writer: int = 2
    reader_features: list[str] | None = None
    writer_features: list[str] | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    column: Mapping[str, Any] = field(default_factory=dict)

    def put(self, uri: str) -> int:
        """Write it as the table's next version, which is returned."""
        log, version = Path(uri, "_delta_log"), DeltaTable(uri).version() + 1
        protocol: dict[str, Any] = {"minReaderVersion": self.reader, "minWriterVersion": self.writer}
        if self.reader_features is not None:
            protocol["readerFeatures"] = self.reader_features
        if self.writer_features is not None:
            protocol["writerFeatures"] = self.writer_features
        metadata = _metadata(log)
        metadata["configuration"] |= self.properties
        schema = json.loads(metadata["schemaString"])
        for number, column in enumerate(schema["fields"], 1):
            if self.properties.get("delta.columnMapping.mode", "none") != "none":
                named = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": column["name"]}
                column["metadata"] |= named
            if column["name"] == "delay":
                column["metadata"] |= self.column
        metadata["schemaString"] = json.dumps(schema)
        actions = [{"commitInfo": {"timestamp": 1}}, {"protocol": protocol}, {"metaData": metadata}]
        (log / f"{version:020}.json").write_text("\n".join(map(json.dumps, actions)))
        return version


def _metadata(log: Path) -> dict[str, Any]:
    lines = [line for file in sorted(log.glob("*.json")) for line in file.read_text().splitlines()]
    found: list[dict[str, Any]] = [each["metaData"] for each in map(json.loads, lines) if "metaData" in each]
    return found[-1]


def _listed(name: str, *, for_readers: bool) -> Given:
    return Given(3, 7, [name], [name]) if for_readers else Given(1, 7, None, [name])


FOR_READERS: Final = {
    "deletionVectors": _listed("deletionVectors", for_readers=True),
    "columnMapping": _listed("columnMapping", for_readers=True),
    "columnMapping of version 2": Given(2, 5, properties={"delta.columnMapping.mode": "name"}),
    "v2Checkpoint": _listed("v2Checkpoint", for_readers=True),
    "typeWidening": _listed("typeWidening", for_readers=True),
    "typeWidening-preview": _listed("typeWidening-preview", for_readers=True),
    "variantType": _listed("variantType", for_readers=True),
    "variantShredding-preview": _listed("variantShredding-preview", for_readers=True),
    "vacuumProtocolCheck": _listed("vacuumProtocolCheck", for_readers=True),
    "catalogManaged": _listed("catalogManaged", for_readers=True),
    "featureOfTomorrow": _listed("featureOfTomorrow", for_readers=True),
}
"""By the name that a refusal has to say."""

FOR_WRITERS: Final = {
    **{
        name: _listed(name, for_readers=False)
        for name in (
            "rowTracking",
            "domainMetadata",
            "icebergCompatV1",
            "icebergCompatV2",
            "clustering",
            "identityColumns",
            "inCommitTimestamp",
            "allowColumnDefaults",
            "collations-preview",
            "coordinatedCommits-preview",
            "checkpointProtection",
            "featureOfTomorrow",
        )
    },
    "delta.constraints.small": Given(1, 3, properties={"delta.constraints.small": "delay < 5"}),
    "constraints.small": Given(1, 7, None, ["checkConstraints"], {"delta.constraints.small": "delay < 5"}),
    "delta.invariants": Given(column={"delta.invariants": '{"expression":{"expression":"delay < 5"}}'}),
    "delta.generationExpression": Given(1, 4, column={"delta.generationExpression": "1 + 1"}),
    "delta.identity.start": Given(1, 6, column={"delta.identity.start": 1, "delta.identity.step": 1}),
    "identityColumns of version 6": Given(1, 6),
    "CURRENT_DEFAULT": Given(1, 7, None, ["allowColumnDefaults"], column={"CURRENT_DEFAULT": "7"}),
    "delta.enableRowTracking": Given(1, 7, None, [], {"delta.enableRowTracking": "true"}),
    "writer version 8": Given(1, 8),
}

KEPT_TO: Final = {
    "legacy features that are not used": Given(
        1, 7, None, ["appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns"]
    ),
    "old versions": Given(2, 5, properties={"delta.columnMapping.mode": "none"}),
    "change data feed": Given(1, 4, properties={"delta.enableChangeDataFeed": "true"}),
    "times without a zone": _listed("timestampNtz", for_readers=True),
    "switches that are off": Given(
        1, 2, properties={"delta.appendOnly": "false", "delta.enableDeletionVectors": "false"}
    ),
    "a comment": Given(column={"comment": "minutes"}),
    "properties of its own": Given(properties={"delta.logRetentionDuration": "interval 30 days", "owner": "me"}),
}
