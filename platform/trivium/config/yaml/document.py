"""A pipeline file as plain data with the position of every key and value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from trivium.config.problems import ConfigError, Path, Problem, dotted

Position = tuple[int, int]
MAX_PROBLEMS: Final = 1_000


@dataclass
class Document:
    """The parsed file: `value` is plain data, problems are gathered beside it.

    `references` holds the written text of every leaf that names environment variables; `broken` the leaves that could
    not be interpolated, about which nothing more is said.
    """

    file: str
    value: dict[str, Any] = field(default_factory=dict)
    keys: dict[Path, Position] = field(default_factory=dict)
    values: dict[Path, Position] = field(default_factory=dict)
    references: dict[Path, str] = field(default_factory=dict)
    broken: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def at(self, path: Path) -> Any:
        """Return the value at `path`, or None where there is none."""
        here: Any = self.value
        for part in path:
            known = part in here if isinstance(here, dict) else isinstance(here, list) and part in range(len(here))
            if not known:
                return None
            here = here[part]
        return here

    def replace(self, path: Path, value: Any) -> None:
        """Put another value at an existing path."""
        self.at(path[:-1])[path[-1]] = value

    def add(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Record a problem with the value at `path`."""
        self._record(self._position(path, self.values, self.keys), path, code, message, hint)

    def add_at_key(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Record a problem with the key at `path`, or with what holds it where it is missing."""
        self._record(self._position(path, self.keys, self.values), path, code, message, hint)

    def add_at(self, position: Position, code: str, message: str, hint: str = "", path: Path = ()) -> None:
        """Record a problem with the text at `position`."""
        self._record(position, path, code, message, hint)

    def _record(self, position: Position, path: Path, code: str, message: str, hint: str) -> None:
        self.problems.append(Problem(self.file, *position, code, message, hint, dotted(path)))
        if len(self.problems) >= MAX_PROBLEMS:
            message = f"{MAX_PROBLEMS:,} problems were found and no more are looked for"
            raise ConfigError([*self.problems, Problem(self.file, *position, "too-many-problems", message)])

    @staticmethod
    def _position(path: Path, first: dict[Path, Position], second: dict[Path, Position]) -> Position:
        for length in range(len(path), 0, -1):
            for marks in (first, second) if length == len(path) else (second, first):
                if path[:length] in marks:
                    return marks[path[:length]]
        return (1, 1)
