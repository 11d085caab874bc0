"""Digest of all that an executor's rows depend on: sources it reaches by static imports, and their distributions.

Imports are read from the syntax tree, wherever they stand in a module; what a module imports by a computed name is not
found. A module of the project counts with its bytes, an installed one with the version of its distribution.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

import trivium
from trivium.config.plan import canonical, sha256

ABSENT: Final = "not installed"
SHORT: Final = 12
_ENGINE: Final = ("msgspec", "pyarrow", "pydantic", "tzdata")


@dataclass(frozen=True)
class Digest:
    """`modules` maps module names to SHA-256 of their files, `distributions` names to versions."""

    modules: Mapping[str, str]
    distributions: Mapping[str, str]

    @property
    def version(self) -> str:
        """Twelve digits that name this state of the sources."""
        return sha256(canonical(msgspec.to_builtins(self)))[:SHORT]


def source_digest(module: str, file: Path, root: Path) -> Digest:
    """Return the digest of `module`, read from `file`, and of everything of the project at `root` it reaches."""
    reached = _Reached(root)
    reached.add(module, file)
    distributions = {name: version for top in reached.outside for name, version in _distributions(top).items()}
    return Digest(dict(sorted(reached.modules.items())), dict(sorted(distributions.items())))


@functools.cache
def engine_versions() -> dict[str, str]:
    """Return the versions every executor's rows depend on: Trivium's sources, Python, libraries that read and write."""
    folder = Path(trivium.__file__).parent
    files = sorted(path for path in folder.rglob("*.py"))
    sources = {path.relative_to(folder).as_posix(): sha256(path.read_bytes()) for path in files}
    versions = {name: importlib.metadata.version(name) for name in _ENGINE}
    return {**versions, "python": platform.python_version(), "trivium": sha256(canonical(sources))}


class _Reached:
    """The modules of a project reached from one of them, and the top-level names outside it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.modules: dict[str, str] = {}
        self.outside: set[str] = set()

    def add(self, module: str, file: Path) -> None:
        """Take in a module and, one after the other, what it imports."""
        waiting = [(module, file), *project_files(module, self._root)]
        while waiting:
            name, path = waiting.pop()
            if name not in self.modules:
                data = path.read_bytes()
                self.modules[name] = sha256(data)
                package = name if path.name == "__init__.py" else name.rpartition(".")[0]
                waiting.extend(self._project_files(imported(ast.parse(data, str(path)), package)))

    def _project_files(self, names: Iterator[str]) -> Iterator[tuple[str, Path]]:
        for name in names:
            top = name.partition(".")[0]
            if in_project(name, self._root):
                yield from project_files(name, self._root)
            elif top not in sys.stdlib_module_names and top != "trivium":
                self.outside.add(top)


def in_project(name: str, root: Path) -> bool:
    """Return whether the project at `root` has a module or package of this dotted name's first part."""
    top = name.partition(".")[0]
    return (root / top).is_dir() or (root / f"{top}.py").is_file()


def project_files(name: str, root: Path) -> Iterator[tuple[str, Path]]:
    """Return the project's modules that importing a dotted name runs: its packages and, if it is one, the module."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:length])
        for file in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if file.is_file():
                yield ".".join(parts[:length]), file
                break


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Return the absolute names a module of `package` imports; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, package)
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the absolute name of the module that `from … import` names inside `package`."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    parents = parts[: len(parts) - (node.level - 1)]
    return ".".join([*parents, *([node.module] if node.module else [])])


@functools.cache
def _installed() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


@functools.cache
def _distributions(top: str) -> dict[str, str]:
    """Return the distributions that provide a top-level name, with versions; a lone module counts by its bytes."""
    names = _installed().get(top)
    if names:
        return {name: importlib.metadata.version(name) for name in names}
    spec = importlib.util.find_spec(top)
    if spec is None:
        return {top: ABSENT}
    return {top: sha256(Path(spec.origin).read_bytes()) if spec.origin and spec.has_location else "namespace"}


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
