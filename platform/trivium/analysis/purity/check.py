"""Purity of an executor, as far as its sources show it: no I/O, clock, randomness, environment or kept state.

Followed is what the executor's methods reach by name in the project's modules; installed libraries are judged by their
names (`purity_rules`). What goes through a computed name, an alias of a container or a library not named there is not
found: for those there are the compliance kit (`trivium.testing`) and the guard (`trivium.engine.guard`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from trivium.analysis.purity import rules
from trivium.analysis.purity.scopes import LexicalScope, Module, Use, read_module
from trivium.analysis.source_digest import in_project, project_files
from trivium.contract.executor import Executor

Phase = Literal["call", "open"]
_ENTRIES: Final = ("__init__", "accepts", "process", "process_batch", "is_retryable")
_ARROW: Final = " → "


@dataclass(frozen=True)
class Impurity:
    """One finding. `file` is relative to the project; `chain` is the modules that lead there, the executor's first."""

    file: str
    line: int
    what: str
    does: str
    instead: str
    chain: tuple[str, ...]

    @property
    def message(self) -> str:
        """The finding with its place and the modules that lead there."""
        path = _ARROW.join((*self.chain, self.what)) if len(self.chain) > 1 else self.what
        return f"{self.file}:{self.line}: {path}: it {self.does}"

    def __str__(self) -> str:
        return f"{self.message}. Try: {self.instead}"


def impurities(executor: type[Executor[Any, Any]], root: Path) -> list[Impurity]:
    """Return what makes an executor of the project at `root` impure, by file and line.

    Reading files is allowed to `open` and to what only `open` reaches.
    """
    walk = _Walk(executor, root.resolve())
    walk.reach_all()
    return walk.findings()


class _Walk:
    """From an executor's methods to all they mention, method by method."""

    def __init__(self, executor: type[Executor[Any, Any]], root: Path) -> None:
        self._root = root
        self._classes = {(each.__module__, each.__qualname__) for each in executor.__mro__}
        self._start = (executor.__module__, Path(executor.declaration.file))
        self._modules: dict[str, Module] = {}
        self._reached: dict[LexicalScope, Phase] = {}
        self._mentions: set[str] = set()
        self._attributes: set[str] = set()

    def reach_all(self) -> None:
        """First what processing an event reaches, then what only opening does."""
        module, file = self._start
        self._load(module, file, (), "call")
        for name in ("call", "open"):
            phase: Phase = "open" if name == "open" else "call"
            self._settle(phase)
            for scope in self._own(("open",) if phase == "open" else _ENTRIES):
                self._reach(scope, phase)
            self._settle(phase)

    def findings(self) -> list[Impurity]:
        """Return one finding for each thing in each file, at its first line."""
        found: dict[tuple[Path, str], Impurity] = {}
        for scope, phase in self._reached.items():
            module = self._modules[scope.module]
            for use in scope.uses:
                if self._counts(use, scope, phase):
                    first = found.get((module.file, use.what))
                    if first is None or use.line < first.line:
                        found[(module.file, use.what)] = self._finding(use, module)
        return sorted(found.values(), key=lambda each: (len(each.chain), each.file, each.line, each.what))

    def _own(self, names: tuple[str, ...]) -> list[LexicalScope]:
        """Return the executor's methods of these names, and everything of its options."""
        return [
            scope
            for module in list(self._modules.values())
            for scope in module.scopes
            if ((scope.module, scope.owner) in self._classes and scope.name in names)
            or (
                (scope.module, scope.owner.removesuffix(".Options")) in self._classes
                and scope.owner.endswith(".Options")
            )
        ]

    def _settle(self, phase: Phase) -> None:
        before = -1
        while before != len(self._reached):
            before = len(self._reached)
            for module in list(self._modules.values()):
                for scope in module.scopes:
                    if scope not in self._reached and self._wanted(scope):
                        self._reach(scope, phase)

    def _wanted(self, scope: LexicalScope) -> bool:
        if not scope.owner:
            return f"{scope.module}.{scope.name}" in self._mentions
        if scope.name == "open" and (scope.module, scope.owner) in self._classes:
            return False
        if f"{scope.module}.{scope.owner}.{scope.name}" in self._mentions or scope.name in self._attributes:
            return True
        return scope.name.startswith("__") and f"{scope.module}.{scope.owner}" in self._mentions

    def _reach(self, scope: LexicalScope, phase: Phase) -> None:
        if scope in self._reached:
            return
        self._reached[scope] = phase
        self._attributes |= scope.attributes
        for name in sorted(scope.imports):
            if in_project(name, self._root):
                for module, file in project_files(name, self._root):
                    self._load(module, file, self._modules[scope.module].chain, phase)
        self._mentions |= {self._defined(name) for name in scope.mentions}

    def _load(self, module: str, file: Path, chain: tuple[str, ...], phase: Phase) -> None:
        if module not in self._modules:
            self._modules[module] = read = read_module(module, file, chain)
            self._reach(read.scopes[0], phase)

    def _defined(self, name: str) -> str:
        """Return the name under which something is defined that a package only hands on."""
        for _ in range(8):
            module, _, rest = name.rpartition(".")
            while module and module not in self._modules:
                module, _, head = module.rpartition(".")
                rest = f"{head}.{rest}"
            first, _, more = rest.partition(".")
            target = self._modules[module].names.imports.get(first) if module else None
            if target is None:
                return name
            name = f"{target}.{more}" if more else target
        return name

    def _counts(self, use: Use, scope: LexicalScope, phase: Phase) -> bool:
        if use.kind == "own state":
            return (scope.module, scope.owner) in self._classes and phase == "call" and scope.name != "__init__"
        if use.kind == "shared variable":
            return any(self._is_variable(use.what, name) for name in self._modules)
        if use.kind == "library":
            return not any(each.kind == "use" and _below(each.what, use.what) for each in self._uses_in(scope.module))
        return not (phase == "open" and use.rule is rules.FILES)

    def _is_variable(self, name: str, module: str) -> bool:
        first = name.removeprefix(f"{module}.").partition(".")[0]
        return name.startswith(f"{module}.") and first in self._modules[module].names.variables

    def _uses_in(self, module: str) -> Iterator[Use]:
        for scope in self._reached:
            if scope.module == module:
                yield from scope.uses

    def _finding(self, use: Use, module: Module) -> Impurity:
        inside = module.file.resolve().is_relative_to(self._root)
        file = module.file.resolve().relative_to(self._root).as_posix() if inside else str(module.file)
        return Impurity(file, use.line, use.what, use.rule.does, use.rule.instead, module.chain)


def _below(name: str, library: str) -> bool:
    return name == library or name.startswith(f"{library}.") or library.startswith(f"{name}.")
