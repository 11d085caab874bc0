"""The compiled pipeline as immutable, canonical JSON with two hashes. It never holds a secret.

A value that came from a variable stands in the plan as its reference. So that the hashes change with the value all the
same, the plan holds a digest of all such values of an executor, which is slow to compute on purpose: whoever has the
plan can only try values out, each of them at the cost of one `scrypt` (docs/threat-model.md says what that is worth).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

SHOWN: Final = 16
_COST: Final = {"n": 1 << 14, "r": 8, "p": 1, "dklen": 32}
"""Of scrypt: 16 MiB and some 40 ms a try."""


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no white space, UTF-8: equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=256)
def slow_digest(pipeline: str, values: bytes) -> str:
    """Return a digest of values that are no part of a plan. Equal values of one pipeline give equal digests anywhere.

    The salt is the pipeline's name: drivers on several machines, which share no state, must come to the same plan.
    """
    return hashlib.scrypt(values, salt=f"trivium option values {pipeline}".encode(), **_COST).hex()


@dataclass(frozen=True)
class Plan:
    """`json` is canonical: `{"config": …, "config_file": …, "logic": …}`.

    `logic` hashes what decides a row's content: event types, routing, the event time range, executors with their source
    digests, options and artifacts' digests, schemas, enrichments and lookup bindings, engine and distribution versions.
    `plan` hashes everything. Both are SHA-256 in hexadecimal, and the same whichever of a pipeline's files lists an
    executor: its place in the list is no part of them.
    """

    json: bytes
    logic: str
    plan: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Plan:
        """Return the plan of a document whose key `logic` holds what decides a row's content."""
        data = canonical(document)
        config = dict(document.get("config", {}))
        config["executors"] = sorted(config.get("executors", ()), key=canonical)
        return cls(data, sha256(canonical(document["logic"])), sha256(canonical({**document, "config": config})))

    @classmethod
    def parse(cls, data: bytes) -> Plan:
        """Return the plan another process wrote."""
        return cls.of(json.loads(data))

    @cached_property
    def document(self) -> dict[str, Any]:
        """The plan as plain data. Treat it as read only."""
        loaded: dict[str, Any] = json.loads(self.json)
        return loaded

    def executor_version(self, event_type: str) -> str:
        """Return the digest of what decides one type's rows: its sources, options, artifacts, schemas and lookups.

        The engine's own version is not part of it: that is in `logic`.
        """
        logic = self.document["logic"]
        own = logic["executors"][event_type]
        used = sorted({each["lookup"] for each in own["enrichments"].values()})
        decides = {"executor": own, "lookups": {name: logic["lookups"][name] for name in used}}
        return sha256(canonical(decides))[:SHOWN]

    @property
    def logic_short(self) -> str:
        """The first 16 digits of `logic`, as shown to people."""
        return self.logic[:SHOWN]

    @property
    def plan_short(self) -> str:
        """The first 16 digits of `plan`, as shown to people."""
        return self.plan[:SHOWN]
