"""A module taken apart for the purity check: what each function mentions, imports, and does that it may not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from trivium.analysis.purity import rules
from trivium.analysis.purity.memo import is_memo
from trivium.analysis.purity.names import Names, bindings, kept_defaults, local_names, parameters

Kind = Literal["use", "library", "own state", "shared variable"]
_CONTAINERS: Final = (ast.If, ast.Try, ast.With)


@dataclass(frozen=True)
class Use:
    """Something an executor may not do.

    `own state` counts in executor classes only, a `shared variable` if `what` is one of a project module, and a
    `library` unless something of it is used.
    """

    what: str
    rule: rules.Rule
    line: int
    kind: Kind = "use"


@dataclass(eq=False)
class LexicalScope:
    """A function, a method (`owner` is its class), or a module's own statements (no name)."""

    module: str
    owner: str = ""
    name: str = ""
    mentions: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    uses: list[Use] = field(default_factory=list)


@dataclass(frozen=True)
class Module:
    """A module of the project with the modules that led to it, itself last."""

    file: Path
    chain: tuple[str, ...]
    names: Names
    scopes: tuple[LexicalScope, ...]


def read_module(module: str, file: Path, chain: tuple[str, ...]) -> Module:
    """Take a module's file apart."""
    tree = ast.parse(file.read_bytes(), str(file))
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names = Names.of(module, package, tree)
    return Module(file, (*chain, module), names, tuple(_Reader(names, package).scopes(tree)))


class _Reader:
    def __init__(self, names: Names, package: str) -> None:
        self._names, self._package = names, package

    def scopes(self, tree: ast.Module) -> list[LexicalScope]:
        top = LexicalScope(self._names.module)
        return [top, *self._inside(tree.body, top, "")]

    def _inside(self, body: list[ast.stmt], top: LexicalScope, owner: str) -> Iterator[LexicalScope]:
        """Make functions scopes of their own; everything else runs when the module is imported."""
        visit = _Visitor(top, self._names, self._package, None).visit
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                for each in (*statement.decorator_list, *statement.args.defaults, *statement.args.kw_defaults):
                    if each is not None:
                        visit(each)
                yield self._function(statement, owner)
            elif isinstance(statement, ast.ClassDef):
                for expression in (*statement.decorator_list, *statement.bases, *statement.keywords):
                    visit(expression)
                yield from self._inside(statement.body, top, f"{owner}.{statement.name}" if owner else statement.name)
            elif isinstance(statement, _CONTAINERS) and not _for_types(statement):
                yield from self._inside(list(_blocks(statement)), top, owner)
            elif not _for_types(statement):
                visit(statement)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str) -> LexicalScope:
        scope = LexicalScope(self._names.module, owner, node.name)
        visitor = _Visitor(scope, self._names, self._package, node)
        for statement in node.body:
            visitor.visit(statement)
        return scope


def _blocks(statement: ast.stmt) -> Iterator[ast.stmt]:
    for name in ("body", "orelse", "finalbody"):
        yield from getattr(statement, name, [])
    for handler in getattr(statement, "handlers", []):
        yield from handler.body


def _for_types(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)


class _Visitor(ast.NodeVisitor):
    """Fills one scope. `function` is None for a module's own statements, which may build what the module keeps."""

    def __init__(
        self, scope: LexicalScope, names: Names, package: str, function: ast.FunctionDef | ast.AsyncFunctionDef | None
    ) -> None:
        self._scope, self._names, self._package, self._function = scope, names, package, function
        self._local = local_names(function) if function else frozenset()
        self._kept = kept_defaults(function) if function else frozenset()
        first = parameters(function)[:1] if function and scope.owner else []
        self._self = first[0] if first else ""

    def visit_Import(self, node: ast.Import) -> None:
        self._import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._import(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._mention(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not self._mention(node):
            self._scope.attributes.add(node.attr)
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        name = self._dotted(node.func)
        self._state_of_call(node, name)
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if name in rules.SEEDED and given:
            pass
        elif name in rules.IMPORTERS and isinstance(given[0] if given else None, ast.Constant):
            self._scope.imports.add(str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else "")
        elif name == rules.FROM_TIMESTAMP and len(given) < 2:
            self._use("datetime.fromtimestamp without a zone", rules.ZONE, node)
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "astimezone" and not given:
            self._use("astimezone without a zone", rules.ZONE, node)
        elif name is None and isinstance(node.func, ast.Attribute) and node.func.attr in rules.METHODS:
            self._use(ast.unparse(node.func), rules.FILES, node)
        else:
            self.visit(node.func)
        for each in given:
            self.visit(each)

    def visit_Global(self, node: ast.Global) -> None:
        self._use(f"global {', '.join(node.names)}", rules.STATE, node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._state_of_target(node.target, node)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            for each in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
                self._state_of_target(each, node)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._state_of_target(node.target, node)
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._state_of_target(target, node)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for each in (*node.decorator_list, *node.args.defaults, *node.body):
            self.visit(each)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        outside, self._local = self._local, self._local | frozenset(parameters(node))
        self.visit(node.body)
        self._local = outside

    def visit_arg(self, node: ast.arg) -> None:
        """Skip annotations, which do nothing."""

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for _, _, imported in bindings(node, self._package):
            self._scope.imports.add(imported)
            rule = rules.library_of(imported)
            if rule is not None:
                self._use(imported, rule, node, "library")

    def _mention(self, node: ast.expr) -> bool:
        name = self._dotted(node)
        if name is None:
            return False
        self._scope.mentions.add(name)
        rule = rules.rule_of(name)
        if rule is not None and not (rule is rules.HASH and self._scope.name == "__hash__"):
            self._use(name.removeprefix("builtins."), rule, node)
        return True

    def _state_of_target(self, target: ast.expr, node: ast.stmt) -> None:
        if isinstance(target, ast.Attribute | ast.Subscript) and not is_memo(node, self._function):
            held = target.value if isinstance(target, ast.Subscript) else target
            self._state(held, ast.unparse(target), node)

    def _state_of_call(self, node: ast.Call, name: str | None) -> None:
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in rules.MUTATORS:
            if not (isinstance(function.value, ast.Name) and function.value.id == self._self):
                self._state(function.value, ast.unparse(function), node)
        elif name == "builtins.next" and node.args:
            self._state(node.args[0], ast.unparse(node), node)

    def _state(self, held: ast.expr, shown: str, node: ast.AST) -> None:
        """Return a change to what `held` names, if that outlives the event."""
        if self._function is None:
            return
        root = _root(held)
        of_class = isinstance(root, ast.Call) and ast.unparse(root.func) == "type"
        if of_class or (isinstance(root, ast.Name) and root.id in self._kept):
            self._use(shown, rules.STATE, node)
        elif isinstance(root, ast.Name) and self._self and root.id == self._self:
            shared = self._self == "cls" or ".__class__" in ast.unparse(held)
            self._use(shown, rules.STATE, node, "use" if shared else "own state")
        elif isinstance(root, ast.Name) and root.id not in self._local:
            self._shared_variable(root, held, shown, node)

    def _shared_variable(self, root: ast.Name, held: ast.expr, shown: str, node: ast.AST) -> None:
        if root.id in self._names.variables or (root.id in self._names.definitions and held is not root):
            self._use(shown, rules.STATE, node)
        elif root.id in self._names.imports:
            self._use(self._dotted(held) or shown, rules.STATE, node, "shared variable")

    def _dotted(self, node: ast.expr) -> str | None:
        return self._names.dotted(node, self._local)

    def _use(self, what: str, rule: rules.Rule, node: ast.AST, kind: Kind = "use") -> None:
        self._scope.uses.append(Use(what, rule, getattr(node, "lineno", 1), kind))


def _root(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node
