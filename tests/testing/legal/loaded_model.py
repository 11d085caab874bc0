"""Loads a model from an artifact, with a helper that reads files, and uses it."""

import json
from collections.abc import Mapping
from pathlib import Path

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor


def weights(path: str) -> list[float]:
    loaded: list[float] = json.loads(Path(path).read_text())
    return loaded


class SightingExecutor(Executor[Sighting, SightingRow]):
    def open(self, artifacts: Mapping[str, str | bytes]) -> None:
        self.weights = weights(str(artifacts["model"]))

    def process(self, event: Sighting) -> SightingRow:
        return row(event, sum(weight * len(name) for weight, name in zip(self.weights, event.names, strict=False)))
