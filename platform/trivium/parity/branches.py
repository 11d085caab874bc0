"""Coverage of the executors' branches: the arms of their if, for, while, match and except statements."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from trivium.analysis.source_digest import source_digest
from trivium.config.pipeline import Pipeline

Arc = tuple[str, int, int]
"""A step from one line of a file to the next; line 0 is the way into a function and -1 the way out."""


@dataclass(frozen=True)
class Branches:
    """Number of arms, in all and that ran; `missed` are the others, like `executors/x.py:12: if, never false`."""

    total: int
    ran: int
    missed: Sequence[str]


@dataclass
class Traced:
    """The steps taken in the executors' files."""

    arcs: set[Arc] = field(default_factory=set)


@contextmanager
def traced(pipeline: Pipeline) -> Iterator[Traced]:
    """Trace each step in the project's executor files while it is open, in this thread."""
    files, into = {str(path) for path in executor_files(pipeline)}, Traced()

    def enter(frame: FrameType, _event: str, _given: Any) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        return _Steps(frame.f_code.co_filename, into.arcs).step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield into
    finally:
        sys.settrace(before)


class _Steps:
    """One call of a function."""

    def __init__(self, file: str, arcs: set[Arc]) -> None:
        self._file, self._arcs, self._line = file, arcs, 0

    def step(self, frame: FrameType, event: str, _given: Any) -> Any:
        if event == "exception":
            self._line = 0  # what follows is no arm of the line that raised
        elif event in ("line", "return"):
            line = frame.f_lineno if event == "line" else -1
            if self._line or event == "line":
                self._arcs.add((self._file, self._line, line))
            self._line = line
        return self.step


def executor_files(pipeline: Pipeline) -> list[Path]:
    """Return the project's files an executor is made of: its own and those of the modules it reaches."""
    found: set[str] = set()
    for bound in pipeline.executors.values():
        digest = source_digest(bound.cls.__module__, Path(inspect.getfile(bound.cls)), pipeline.root)
        modules = (sys.modules.get(name) for name in digest.modules)
        found |= {module.__file__ for module in modules if module is not None and module.__file__}
    return [path for path in map(Path, sorted(found)) if path.is_relative_to(pipeline.root)]


def branches_of(pipeline: Pipeline, found: Traced) -> Branches:
    """Return the arms of the functions in the executors' files, and which of them ran."""
    total, missed = 0, []
    for path in executor_files(pipeline):
        arcs = {(before, after) for file, before, after in found.arcs if file == str(path)}
        for arm in _arms(ast.parse(path.read_text(encoding="utf-8"))):
            total += 1
            if not arm.ran(arcs):
                missed.append(f"{path.relative_to(pipeline.root)}:{arm.line}: {arm.says}")
    return Branches(total, total - len(missed), missed)


@dataclass(frozen=True)
class _Arm:
    """One way out of the lines first … last: into line `body`, or (`other`) to any line but that."""

    line: int
    says: str
    first: int
    last: int
    body: int
    other: bool = False

    def ran(self, arcs: set[tuple[int, int]]) -> bool:
        leaving = (after for before, after in arcs if self.first <= before <= self.last)
        if self.other:
            return any(after != self.body and not self.first <= after <= self.last for after in leaving)
        return self.body in leaving


def _arms(tree: ast.Module) -> Iterator[_Arm]:
    """Return the arms inside functions, without those of statements whose body is on their own line."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node in (each for function in functions for each in ast.walk(function)):
        if isinstance(node, (ast.If, ast.While)):
            yield from _both(node.lineno, node.test, node.body, "if" if isinstance(node, ast.If) else "while")
        elif isinstance(node, ast.For):
            yield from _both(node.lineno, node.iter, node.body, "for")
        elif isinstance(node, ast.Match):
            for case in node.cases:
                yield _Arm(case.pattern.lineno, "case, never taken", 0, sys.maxsize, case.body[0].lineno)
        elif isinstance(node, ast.ExceptHandler):
            yield _Arm(node.lineno, "except, never taken", 0, sys.maxsize, node.body[0].lineno)


def _both(line: int, head: ast.expr, body: Sequence[ast.stmt], word: str) -> Iterator[_Arm]:
    last, inside = head.end_lineno or head.lineno, body[0].lineno
    if isinstance(head, ast.Constant) or inside <= last:
        return
    taken, left = ("never entered", "never left") if word == "for" else ("never true", "never false")
    yield _Arm(line, f"{word}, {taken}", line, last, inside)
    yield _Arm(line, f"{word}, {left}", line, last, inside, other=True)
