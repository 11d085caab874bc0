"""A finding of a check of surroundings: a machine, a cluster, an upload."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Level = Literal["ok", "warning", "error"]


class Finding(msgspec.Struct, frozen=True):
    """An answer to one question of a check: `got` at `where`; `expected` and `attempt` unless all is well."""

    check: str
    level: Level
    got: str
    where: str = ""
    expected: str = ""
    attempt: str = ""

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        if self.level == "ok":
            return f"{self.check}: {self.got}{place}"
        attempt = f". Try: {self.attempt}" if self.attempt else ""
        return f"{self.check}: expected {self.expected}, got {self.got}{place}{attempt}"


def has_errors(findings: Iterable[Finding]) -> bool:
    """Return whether one of them is an error."""
    return any(each.level == "error" for each in findings)
