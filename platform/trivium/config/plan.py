"""The compiled pipeline as immutable, canonical JSON with two hashes. It never holds a secret."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

SHOWN: Final = 16


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no white space, UTF-8: equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def sha256(data: bytes) -> str:
    """The SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Plan:
    """`json` is canonical: `{"config": …, "config_file": …, "logic": …}`.

    `logic` hashes what decides a row's content: event types, routing, the event time range, executors with their source
    digests, options and artifacts' digests, schemas, enrichments and lookup bindings, engine and distribution versions.
    `plan` hashes everything. Both are SHA-256 in hexadecimal.
    """

    json: bytes
    logic: str
    plan: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Plan:
        """The plan of a document whose key `logic` holds what decides a row's content."""
        data = canonical(document)
        return cls(data, sha256(canonical(document["logic"])), sha256(data))

    @classmethod
    def parse(cls, data: bytes) -> Plan:
        """The plan another process wrote."""
        return cls.of(json.loads(data))

    @cached_property
    def document(self) -> dict[str, Any]:
        """The plan as plain data. Treat it as read only."""
        loaded: dict[str, Any] = json.loads(self.json)
        return loaded

    @property
    def logic_short(self) -> str:
        """The first 16 digits of `logic`, as shown to people."""
        return self.logic[:SHOWN]

    @property
    def plan_short(self) -> str:
        """The first 16 digits of `plan`, as shown to people."""
        return self.plan[:SHOWN]
