"""What the driver tells its workers, and what they answer: small, plain, the same on every node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from trivium.delivery.batch_commit import Window
from trivium.delivery.data_files import DataFile
from trivium.delivery.storage_token import StorageToken
from trivium.engine.outcomes import Counts


@dataclass(frozen=True)
class Job:
    """One batch run as its workers see it. `context` names what a unit's result depends on beside its rows."""

    plan: bytes
    secrets: Mapping[str, str] = field(repr=False)
    root: str
    generation: int
    window: Window | None
    context: Mapping[str, Any]
    lookups: Mapping[str, str]
    token: StorageToken


@dataclass(frozen=True)
class UnitResult:
    """What came of a unit: its files, its balance by event type, and the event days its rows belong to."""

    files: tuple[DataFile, ...] = ()
    rejects: tuple[DataFile, ...] = ()
    counts: Mapping[str, Counts] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """What a resume marker keeps beside the files."""
        return {"counts": {name: asdict(counts) for name, counts in self.counts.items()}}

    @classmethod
    def of_marker(cls, files: Any, rejects: Any, payload: Mapping[str, Any]) -> UnitResult:
        """The result a marker stands for."""
        counts = {name: Counts(**each) for name, each in payload["counts"].items()}
        return cls(tuple(files), tuple(rejects), counts)

    def encode(self) -> str:
        """As JSON text."""
        files = [[file.as_json() for file in group] for group in (self.files, self.rejects)]
        return json.dumps([*files, self.payload()])

    @classmethod
    def decode(cls, text: str) -> UnitResult:
        """The inverse of `encode`."""
        files, rejects, payload = json.loads(text)
        return cls.of_marker(map(DataFile.from_json, files), map(DataFile.from_json, rejects), payload)


def window_json(window: Window | None) -> list[str] | None:
    """A window as plain data."""
    return None if window is None else [window.start.isoformat(), window.end.isoformat()]
