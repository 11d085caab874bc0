"""A folder whose power can be cut: what was synced is known, and what a cut may leave is made from it.

The folder is real, so whatever anyone writes into it (deltalake syncs nothing) is there. Only syncs are recorded, at
`os.fsync`, the one way the product has to a disk. Before each of them the whole folder is looked at, which is a moment
to cut the power: until then nothing more became durable, and everything written so far may have.

A cut keeps what was synced: the bytes of a file as of its last sync, the names in a folder as of the folder's. Of all
else it keeps any part: each name is there or not on its own, each file has its old bytes, its new ones, or torn ones.
A journal would keep more in order; what holds here holds with every file system.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

Names = Mapping[str, int]
Left = dict[str, bytes]
"""What a cut leaves: the bytes of each file by its path."""
_PAGE: Final = 4096
Tear = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Image:
    """A folder by inodes: its own, the names in each folder, the bytes of each file."""

    root: int
    folders: Mapping[int, Names]
    files: Mapping[int, bytes]


@dataclass(frozen=True)
class Moment:
    """One moment: what programs see, what is durable, and what its caller says has happened by then."""

    seen: Image
    durable: Image
    done: Any


class Disk:
    """A folder and its moments. `done` is asked at each moment what has happened so far."""

    def __init__(self, root: Path, done: Callable[[], Any]) -> None:
        self._root, self._done = root, done
        self._held: dict[int, int] = {}
        self._bytes: dict[int, tuple[tuple[int, int], bytes]] = {}
        self._fsync = os.fsync
        self._durable = self._look()
        self.moments: list[Moment] = []

    def __enter__(self) -> Disk:
        os.fsync = self._sync
        return self

    def __exit__(self, *_: object) -> None:
        os.fsync = self._fsync
        for descriptor in self._held.values():
            os.close(descriptor)

    def moment(self) -> None:
        """Take a moment: the power may fail now."""
        self.moments.append(Moment(self._look(), self._durable, self._done()))

    def _sync(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        self.moment()
        seen, durable = self.moments[-1].seen, self._durable
        if found.st_ino in seen.files:
            self._durable = replace(durable, files={**durable.files, found.st_ino: seen.files[found.st_ino]})
        elif found.st_ino in seen.folders:
            self._durable = replace(durable, folders={**durable.folders, found.st_ino: seen.folders[found.st_ino]})

    def _look(self) -> Image:
        folders: dict[int, Names] = {}
        files: dict[int, bytes] = {}
        root = self._root.stat().st_ino
        waiting = [(self._root, root)]
        while waiting:
            folder, own = waiting.pop()
            names: dict[str, int] = {}
            for entry in os.scandir(folder):
                found = entry.stat(follow_symlinks=False)
                names[entry.name] = found.st_ino
                self._hold(entry.path, found.st_ino)
                if stat.S_ISDIR(found.st_mode):
                    waiting.append((Path(entry.path), found.st_ino))
                else:
                    files[found.st_ino] = self._content(entry.path, found)
            folders[own] = names
        return Image(root, folders, files)

    def _hold(self, path: str, inode: int) -> None:
        """Keep an inode from being given to another file."""
        if inode not in self._held:
            self._held[inode] = os.open(path, os.O_RDONLY)

    def _content(self, path: str, found: os.stat_result) -> bytes:
        state = (found.st_mtime_ns, found.st_size)
        known = self._bytes.get(found.st_ino)
        if known is None or known[0] != state:
            known = self._bytes[found.st_ino] = (state, Path(path).read_bytes())
        return known[1]


class SyncedPaths:
    """A folder whose files are written once: which of them were synced by path, for when a `Disk` would be too slow."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._files: set[str] = set()
        self._names: set[str] = set()

    def sync(self, descriptor: int) -> None:
        """Stand in for `os.fsync`."""
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if not os.path.isdir(path):
            self._files.add(path)
        elif path.startswith(self._root):
            self._names.update(entry.path for entry in os.scandir(path))

    def lose(self, folder: Path, chance: random.Random) -> None:
        """Lose some of the names that were not synced, of log entries the newest; and bytes of log entries."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        entries = [path for path in files if path.parent.name == "_delta_log"]
        unnamed = [path for path in entries if str(path) not in self._names]
        lost = unnamed[chance.randint(0, len(unnamed)) :]
        lost += [
            path for path in files if path not in entries and str(path) not in self._names and chance.random() < 0.5
        ]
        for path in lost:
            path.unlink()
        for path in entries:
            if path not in lost and str(path) not in self._files:
                path.write_bytes(_torn(path.read_bytes(), chance))


@dataclass(frozen=True)
class Cut:
    """A way for power to fail: how likely an unsynced name is kept, and what becomes of unsynced bytes."""

    name: str
    keeps: float
    tear: Tear


def _gone(_content: bytes, _chance: random.Random) -> bytes:
    return b""


def _kept(content: bytes, _chance: random.Random) -> bytes:
    return content


def _torn(content: bytes, chance: random.Random) -> bytes:
    """Some of the bytes: none, the beginning, whole lines of it, all but some pages, or all."""
    at = chance.randrange(len(content) + 1)
    lines = content[: content.rfind(b"\n", 0, at) + 1]
    page = at - at % _PAGE
    hole = content[:page] + bytes(len(content[page : page + _PAGE])) + content[page + _PAGE :]
    return chance.choice([b"", content[:at], lines, hole, content, content])


CUTS: Final = (
    Cut("nothing unsynced stays", 0.0, _gone),
    Cut("names stay, bytes go", 1.0, _gone),
    Cut("names stay, bytes are torn", 1.0, _torn),
    Cut("some of it stays", 0.5, _torn),
    Cut("some names stay, with their bytes", 0.5, _kept),
)


def left_by(moment: Moment, cut: Cut, chance: random.Random) -> Left:
    """Return the files that a cut leaves."""
    left: Left = {}
    torn: dict[int, bytes] = {}
    waiting = [("", moment.seen.root)]
    while waiting:
        path, folder = waiting.pop()
        old, new = moment.durable.folders.get(folder, {}), moment.seen.folders.get(folder, {})
        for name in sorted({*old, *new}):
            before, after = old.get(name), new.get(name)
            node = after if before == after or chance.random() < cut.keeps else before
            if node is None:
                continue
            if node in moment.seen.folders or node in moment.durable.folders:
                waiting.append((f"{path}{name}/", node))
            else:
                if node not in torn:
                    torn[node] = _bytes_left(moment, node, cut, chance)
                left[f"{path}{name}"] = torn[node]
    return left


def _bytes_left(moment: Moment, node: int, cut: Cut, chance: random.Random) -> bytes:
    durable = moment.durable.files.get(node)
    seen = moment.seen.files.get(node, durable or b"")
    if durable == seen:
        return seen
    kept = cut.tear(seen, chance)
    return durable if durable is not None and not kept else kept


def cuts_of(moments: list[Moment], cuts: tuple[Cut, ...], seed: int) -> Iterator[tuple[Moment, Cut, Left]]:
    """Yield what the cuts leave at each moment, each outcome once; a later moment asks more of the same files."""
    chance, met = random.Random(seed), set[int]()
    for moment in moments:
        for cut in cuts:
            left = left_by(moment, cut, chance)
            mark = hash((frozenset(left.items()), str(moment.done)))
            if mark not in met:
                met.add(mark)
                yield moment, cut, left


def put(left: Left, folder: Path) -> Path:
    """Make the files in an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path, content in left.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder
