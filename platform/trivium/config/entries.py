"""Entries of `executors:` for several event types, by a list or a glob, as an entry for each of them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from typing import Any, Final

from trivium.config.problems import Path
from trivium.config.registry import Offer, offered
from trivium.config.yaml.document import Document
from trivium.config.yaml.nodes import MAX_NODES
from trivium.core.suggest import one_of

_MAGIC: Final = frozenset("*?[")


def expand(document: Document, root: FilePath) -> None:
    """Put an entry for each event type in the place of one for several. What cannot be read stays as it is."""
    entries = document.value.get("executors")
    if isinstance(entries, list) and any(_is_group(entry) for entry in entries):
        _Expansion(document, root).run(entries)


@dataclass
class _Expansion:
    """The expansion of one document; `offer` is what the project offers, once a glob asks for it."""

    document: Document
    root: FilePath
    offer: Offer | None = None
    named: list[tuple[int, Path, Any]] = field(default_factory=list)

    def run(self, entries: list[Any]) -> None:
        for index, entry in enumerate(entries):
            self.named += [(index, place, name) for place, name in self._types(index, entry)]
        if self._size() > MAX_NODES:
            message = f"entries for several event types hold more than {MAX_NODES:,} values, written out"
            self.document.add(("executors",), "too-large", message, "give long options to fewer event types")
            return
        known = self.document.forget("executors")
        moved: dict[Path, list[Path]] = {}
        for new, (old, _, _) in enumerate(self.named):
            moved.setdefault(("executors", old), []).append(("executors", new))
        self.document.take(known, moved, but="type")
        made = [self._entry(entries[old], new, place, name, known) for new, (old, place, name) in enumerate(self.named)]
        self.document.value["executors"] = made

    def _size(self) -> int:
        """Count the values that the entries hold once each event type has its own."""
        sizes = Counter(
            path[1]
            for path in self.document.values
            if path[0] == "executors" and len(path) > 1 and path[2:3] != ("type",)
        )
        return sum(sizes[old] for old, _, _ in self.named)

    def _types(self, index: int, entry: Any) -> Iterator[tuple[Path, Any]]:
        """Yield the types that an entry names, each with its place."""
        place: Path = ("executors", index, "type")
        if not _is_group(entry) or place in self.document.broken:
            yield place, entry.get("type") if isinstance(entry, dict) else None
            return
        names = entry["type"]
        if names == []:
            message = "expected event types, got an empty list"
            self.document.add(place, "wrong-value", message, "type: [click, view]")
            self.document.broken.add(place)
            yield place, names
        for at, name in enumerate(names) if isinstance(names, list) else [(None, names)]:
            inner = place if at is None else (*place, at)
            if _is_glob(name) and inner not in self.document.broken:
                found = self._matches(inner, name)
                if not found:
                    self.document.broken.add(inner)
                yield from ((inner, each) for each in found or [name])
            else:
                yield inner, name

    def _matches(self, place: Path, pattern: str) -> list[str]:
        if self.offer is None:
            self.offer = offered(self.root)
        for failure in self.offer.failures:
            self.document.add(place, failure.code, failure.message, failure.hint)
        found = [name for name in self.offer.event_types if fnmatchcase(name, pattern)]
        if not found and not self.offer.failures:
            message = f"no event type that the project offers matches {pattern!r}"
            self.document.add(place, "unknown-executor", message, one_of(pattern, self.offer.event_types))
        return found

    def _entry(self, entry: Any, new: int, place: Path, name: Any, known: Document) -> Any:
        here: Path = ("executors", new, "type")
        if place not in known.values:
            return entry
        self.document.values[here] = known.values[place]
        if (*place[:2], "type") in known.keys:
            self.document.keys[here] = known.keys[*place[:2], "type"]
        self.document.origins[here] = known.written(place)
        if place in known.broken:
            self.document.broken.add(here)
        if place in known.references:
            self.document.references[here] = known.references[place]
        return {**copy.deepcopy({**entry, "type": None}), "type": name}


def _is_group(entry: Any) -> bool:
    named = entry.get("type") if isinstance(entry, dict) else None
    return isinstance(named, list) or _is_glob(named)


def _is_glob(name: Any) -> bool:
    return isinstance(name, str) and not _MAGIC.isdisjoint(name)
