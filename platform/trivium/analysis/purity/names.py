"""Meaning of the names in a module: imports, its own definitions, builtins."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from trivium.analysis.source_digest import absolute

_BUILTINS: Final = frozenset(dir(builtins))
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass
class Names:
    """The names of one module: `imports` to what they stand for, and its own `definitions` and `variables`."""

    module: str
    imports: dict[str, str] = field(default_factory=dict)
    definitions: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, module: str, package: str, tree: ast.Module) -> Names:
        """Read them from a module's tree, wherever they are imported."""
        names = cls(module)
        for node in ast.walk(tree):
            for bound, target, _ in bindings(node, package):
                names.imports[bound] = target
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.definitions.add(statement.name)
            else:
                names.variables |= {
                    n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
                }
        return names

    @property
    def own(self) -> set[str]:
        """Everything the module binds by itself."""
        return self.definitions | self.variables

    def dotted(self, node: ast.AST, local: frozenset[str]) -> str | None:
        """Return the absolute name of `a`, `a.b` or `a.b.c`; None if its root is a local variable or an expression."""
        if isinstance(node, ast.Attribute):
            root = self.dotted(node.value, local)
            return None if root is None else f"{root}.{node.attr}"
        if not isinstance(node, ast.Name) or node.id in local:
            return None
        if node.id in self.imports:
            return self.imports[node.id]
        if node.id in self.own:
            return f"{self.module}.{node.id}"
        return f"builtins.{node.id}" if node.id in _BUILTINS else None


def bindings(node: ast.AST, package: str) -> Iterator[tuple[str, str, str]]:
    """Return what an import statement binds: the name, what it stands for, and the module that is imported for it."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield (alias.asname or top), (alias.name if alias.asname else top), alias.name
    elif isinstance(node, ast.ImportFrom):
        base = absolute(node, package)
        for alias in node.names:
            yield alias.asname or alias.name, f"{base}.{alias.name}", f"{base}.{alias.name}"


def local_names(function: Function) -> frozenset[str]:
    """Return parameters and variables of a function and those inside it, without imported and global ones."""
    found, shared = set(parameters(function)), set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name is not None:
            found.add(node.name)
        elif isinstance(node, ast.Global):
            shared |= set(node.names)
        elif node is not function and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            found |= set(parameters(node))
            found |= set() if isinstance(node, ast.Lambda) else {node.name}
    return frozenset(found - shared)


def parameters(function: Function) -> list[str]:
    """Return the names of all parameters."""
    given = function.args
    several = [each for each in (given.vararg, given.kwarg) if each is not None]
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, *several)]


def kept_defaults(function: Function) -> frozenset[str]:
    """Return parameters whose default is a container: one object for all calls."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    pairs = [*zip(reversed(plain), reversed(given.defaults), strict=False), *zip(given.kwonlyargs, given.kw_defaults)]  # noqa: B905
    return frozenset(each.arg for each, default in pairs if isinstance(default, ast.List | ast.Dict | ast.Set))
