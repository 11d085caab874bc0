"""Remembers compiled patterns: by functools, and by hand in a dictionary."""

import functools
import re

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor

_PATTERNS: dict[int, re.Pattern[str]] = {}


@functools.cache
def vowels(least: int) -> re.Pattern[str]:
    return re.compile(f"[aeiou]{{{least},}}")


def digits(least: int) -> re.Pattern[str]:
    if least not in _PATTERNS:
        _PATTERNS[least] = re.compile(rf"\d{{{least},}}")
    return _PATTERNS[least]


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process(self, event: Sighting) -> SightingRow:
        least = event.count % 3 + 1
        return row(event, (vowels(least).findall(event.id), digits(least).findall(event.id)))
