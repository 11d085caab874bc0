"""The source of what was defined in notebook cells (or in a script), gathered into one module.

A class of a cell cannot travel to another process: pickled by value, an event loses its fields, and by reference there
is no module to import it from. Its source can: the statement that defines it, and those of every name it uses.

| a name is bound to           | it travels as |
| a module                     | `import module as name` |
| something that was imported  | the same import |
| a class or function          | the statement that defines it, with the names that statement uses |
| a plain value                | its value now |
| a type, a pattern, a time …  | the statement that made it, with the names that statement uses |
| anything else                | an error: data and open files are not code |
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import re
import symtable
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final

import msgspec
import pyarrow as pa

from trivium.notebook.errors import InputError

_MADE: Final = (
    *(type, types.FunctionType),
    *(date, datetime, time, timedelta, tzinfo, Decimal, PurePath, re.Pattern, msgspec.Meta, typing.TypeVar),
    *(pa.DataType, pa.Field, pa.Schema, types.GenericAlias, types.UnionType),
)
_PLAIN: Final = (type(None), bool, int, float, str, bytes, tuple, list, dict, set, frozenset)
_LONGEST_VALUE: Final = 100_000
_FUTURE: Final = "from __future__ import annotations\n"


@dataclass(frozen=True)
class CellModule:
    """A module that holds a class and all it needs. `name` is made from `source`: equal sources, equal names."""

    name: str
    source: str


@dataclass(frozen=True)
class _Statement:
    node: ast.stmt
    source: str


def cell_module(root: type, namespace: Mapping[str, Any], cells: Sequence[str]) -> CellModule:
    """Return the module of a class defined in `cells`, whose names are bound in `namespace`.

    Raises:
        InputError: the class, or a name it uses, has no source or is something that cannot travel.
    """
    statements = _bindings(cells)
    gathered = _Gathered(namespace, statements, root.__name__)
    gathered.add(root.__name__, ())
    future = _FUTURE if "annotations" in statements and "__future__" in statements["annotations"].source else ""
    source = future + "\n".join(gathered.pieces.values()) + "\n"
    return CellModule(f"trivium_cell_{hashlib.sha256(source.encode()).hexdigest()[:12]}", source)


class _Gathered:
    """Pieces of source by name, each after those it uses."""

    def __init__(self, namespace: Mapping[str, Any], statements: Mapping[str, _Statement], root: str) -> None:
        self._namespace, self._statements, self._root = namespace, statements, root
        self._reached: set[str] = set()
        self.pieces: dict[str, str] = {}

    def add(self, name: str, path: tuple[str, ...]) -> None:
        """Add a name and what it uses; `path` is how it was reached."""
        if name in self._reached or name not in self._namespace:
            return
        self._reached.add(name)
        value, statement = self._namespace[name], self._statements.get(name)
        piece = _without_statement(name, value) or (_imported(name, statement.node) if statement else None)
        if piece is None:
            piece = self._stated(name, value, statement, path)
        self.pieces.setdefault(name, piece)

    def _stated(self, name: str, value: Any, statement: _Statement | None, path: tuple[str, ...]) -> str:
        if statement is None:
            return _from_its_module(name, value) or self._refuse(name, value, path, "no cell or import defines it")
        if not (isinstance(value, _MADE) or typing.get_origin(value) is not None):
            self._refuse(name, value, path, "data and open files do not travel with code")
        for used in free_names(statement.source):
            self.add(used, (*path, name))
        # A statement that binds several names is written once.
        return "" if statement.source in self.pieces.values() else statement.source

    def _refuse(self, name: str, value: Any, path: tuple[str, ...], why: str) -> typing.NoReturn:
        used_by = f", used by {' → '.join(path)}," if path else ""
        what = f"{name} ({type(value).__module__}.{type(value).__qualname__}){used_by}"
        raise InputError(
            f"{what} cannot be sent to the cluster: {why}. "
            "Try: make it an enrichment's lookup, an option of the executor, or an artifact; or define it in a module "
            "the cluster can import"
        )


def free_names(source: str) -> list[str]:
    """Return the sorted global names that a piece of source uses, those in quoted annotations included."""
    names: set[str] = set()
    waiting = [symtable.symtable(source, "cell", "exec")]
    while waiting:
        table = waiting.pop()
        names.update(
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module")
        )
        waiting += table.get_children()
    names.update(_quoted_names(ast.parse(source)))
    return sorted(names - set(dir(builtins)))


def _quoted_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            for inner in ast.walk(annotation) if annotation is not None else ():
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield from _names_of(inner.value)


def _names_of(text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return
    yield from (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _bindings(cells: Sequence[str]) -> dict[str, _Statement]:
    """Return the last top-level statement that binds each name."""
    found: dict[str, _Statement] = {}
    for cell in cells:
        try:
            body = ast.parse(cell).body
        except (SyntaxError, ValueError):
            continue
        lines = cell.splitlines(keepends=True)
        for node in body:
            statement = _Statement(node, _source_of(node, lines))
            found.update(dict.fromkeys(_bound(statement.source), statement))
    return found


def _source_of(node: ast.stmt, lines: Sequence[str]) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(each.lineno for each in decorators)])
    whole = "".join(lines[first - 1 : node.end_lineno])
    # Two statements on one line have no line of their own.
    alone = not decorators and (node.col_offset > 0 or len(ast.parse(whole).body) > 1)
    return ast.unparse(node) if alone else whole.rstrip("\n")


def _bound(source: str) -> list[str]:
    table = symtable.symtable(source, "cell", "exec")
    return [s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()]


def _without_statement(name: str, value: Any) -> str | None:
    """Return whether a value needs source to travel; modules and plain values do not."""
    if isinstance(value, types.ModuleType):
        return f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}"
    if type(value) not in _PLAIN:
        return None
    text = repr(value)
    try:
        same = len(text) <= _LONGEST_VALUE and _same(ast.literal_eval(text), value)
    except (ValueError, SyntaxError, RecursionError):
        same = False
    return f"{name} = {text}" if same else None


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _imported(name: str, node: ast.stmt) -> str | None:
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return None
    chosen = [alias for alias in node.names if (alias.asname or alias.name.partition(".")[0]) == name]
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import(chosen)) if chosen else None
    return ast.unparse(ast.ImportFrom(node.module, chosen, node.level)) if chosen else None


def _from_its_module(name: str, value: Any) -> str | None:
    """Something injected without an import statement, if its module has it under its own name."""
    module, own = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not isinstance(module, str) or module == "__main__" or not own.isidentifier():
        return None
    return f"from {module} import {own} as {name}"
