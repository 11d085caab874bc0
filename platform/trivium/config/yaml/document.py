"""A pipeline file as plain data with the position of every key and value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from trivium.config.problems import ConfigError, Path, Problem, dotted

Position = tuple[int, int]
MAX_PROBLEMS: Final = 1_000


@dataclass(frozen=True)
class WrittenAt:
    """Place at which a part of the tree is written: a file, and the path there."""

    file: str
    path: Path


@dataclass
class Document:
    """The parsed file: `value` is plain data, problems are gathered beside it.

    `references` holds the written text of every leaf that names environment variables; `broken` the leaves that could
    not be interpolated, about which nothing more is said. `origins` says where parts are written that the tree has
    at another place: in the file of a team, or in an entry for several event types.
    """

    file: str
    value: dict[str, Any] = field(default_factory=dict)
    keys: dict[Path, Position] = field(default_factory=dict)
    values: dict[Path, Position] = field(default_factory=dict)
    references: dict[Path, str] = field(default_factory=dict)
    origins: dict[Path, WrittenAt] = field(default_factory=dict)
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

    def written(self, path: Path) -> WrittenAt:
        """Return where the part at `path` is written."""
        for length in range(len(path), 0, -1):
            origin = self.origins.get(path[:length])
            if origin is not None:
                return WrittenAt(origin.file, (*origin.path, *path[length:]))
        return WrittenAt(self.file, path)

    def dotted(self, path: Path) -> str:
        """Return a path as people find it in the file that holds it."""
        return dotted(self.written(path).path)

    def line_of(self, path: Path) -> str:
        """Return file and line of the value at `path`."""
        return f"{self.written(path).file}:{self._position(path, self.values, self.keys)[0]}"

    def take(self, source: Document, moved: Mapping[Path, Sequence[Path]], but: str | None = None) -> None:
        """Take over what a document knows of some of its parts, two steps deep, each for its places in this one.

        Left out is what a part holds under the key `but`.
        """
        for own, theirs in ((self.keys, source.keys), (self.values, source.values)):
            own.update({place: mark for path, mark in theirs.items() for place in _places(path, moved, but)})
        for path, text in source.references.items():
            self.references.update(dict.fromkeys(_places(path, moved, but), text))
        self.broken.update(place for path in source.broken for place in _places(path, moved, but))
        self.origins.update({place: source.written(path) for path, places in moved.items() for place in places})

    def forget(self, key: str) -> Document:
        """Drop what is known of the parts below a key of the root; return a document that knows it."""
        known = replace(
            self,
            keys=dict(self.keys),
            values=dict(self.values),
            references=dict(self.references),
            origins=dict(self.origins),
            broken=set(self.broken),
        )
        for marks in (self.keys, self.values, self.references, self.origins):
            for path in [path for path in marks if path[0] == key and len(path) > 1]:
                del marks[path]
        self.broken = {path for path in self.broken if path[:1] != (key,) or len(path) == 1}
        return known

    def _record(self, position: Position, path: Path, code: str, message: str, hint: str) -> None:
        origin = self.written(path)
        problem = Problem(origin.file, *position, code, message, hint, dotted(origin.path))
        if problem in self.problems:
            return  # of an entry for several event types it is one problem
        self.problems.append(problem)
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


def _places(path: Path, moved: Mapping[Path, Sequence[Path]], but: str | None) -> Iterator[Path]:
    """Yield the places to which a path moves."""
    if but is None or path[2:3] != (but,):
        yield from ((*place, *path[2:]) for place in moved.get(path[:2], ()))
