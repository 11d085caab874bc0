"""The upload of a working folder to a cluster, as Ray itself chooses and bounds it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ray._private.ray_constants import DASHBOARD_CLIENT_MAX_SIZE
from ray._private.runtime_env.packaging import GCS_STORAGE_MAX_SIZE, get_excludes_from_ignore_files

_QUIET = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upload:
    """Files that a job brings along, relative to their folder, with their sizes in bytes; and the most it may bring.

    Ray packs without compressing, so the sum of the sizes is what counts.
    """

    files: dict[str, int]
    limit: int = min(DASHBOARD_CLIENT_MAX_SIZE, GCS_STORAGE_MAX_SIZE)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())

    def largest(self, most: int) -> list[tuple[str, int]]:
        """Return the largest folders and files of the top with their sizes, largest first."""
        sizes: dict[str, int] = {}
        for path, size in self.files.items():
            top, below, _ = path.partition("/")
            sizes[top + below] = sizes.get(top + below, 0) + size
        return sorted(sizes.items(), key=lambda each: (-each[1], each[0]))[:most]


def upload_of(folder: Path) -> Upload:
    """Return what `--working-dir` would take of a folder: all but what `.gitignore` and `.rayignore` leave out.

    The files of a folder decide about the folder itself, too, and about all below it, as Ray has it.
    """
    root = folder.resolve()
    return Upload({path.relative_to(root).as_posix(): path.stat().st_size for path in _taken(root, [])})


def _taken(path: Path, excludes: list[Callable[[Path], bool]]) -> Iterator[Path]:
    own = get_excludes_from_ignore_files(path, include_gitignore=True, logger=_QUIET) if path.is_dir() else []
    rules = [*excludes, *own]
    if any(rule(path) for rule in rules):
        return
    if path.is_file():
        yield path
    elif path.is_dir():
        for below in path.iterdir():
            yield from _taken(below, rules)
