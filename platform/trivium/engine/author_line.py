"""The place in an author's code that rejected an input: file, line, source line, and the calls that led there.

Only frames of the author's own files are named. The engine's and libraries' are left out, but for the name of the
library call that raised. Texts are valid UTF-8 of bounded length, without values that are concealed.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, Literal

import msgspec

from trivium.core.error_text import bounded
from trivium.engine.guard import installed_folders

_MOST_SOURCE: Final = 200
_MOST_NAME: Final = 160
_MOST_TRACE: Final = 2_000
_INNER_FRAMES: Final = 4
"""Innermost frames that a trace holds, beside the outermost one."""
_MOST_KEPT: Final = 1_000
_ENGINE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_TRIVIUM: Final = os.path.dirname(os.path.dirname(_ENGINE)) + os.sep
_TYPED_IN: Final = ("<ipython-input", "<python-input", "<stdin>", "<trivium_cell_")
_CELL: Final = "<cell>"
"""The file of code that was typed in, here or gathered for a cluster; its line counts from where that code begins."""
# Read without the error's class having a say.
_traceback_of: Final[Callable[[BaseException], TracebackType | None]] = BaseException.__dict__["__traceback__"].__get__

_Owner = Literal["author", "engine", "library"]
_Frame = tuple[str, int, str]
"""File, line and qualified name of the function."""


class AuthorLine(msgspec.Struct, frozen=True, gc=False):
    """The innermost line of an author's code that an error passed, and how it was reached.

    `file` is relative to the project (of an installed package: to where packages lie), `source` the line's text, empty
    where it cannot be read. `trace` has a line for each call, the outermost first; `said` is all of it in one line.
    """

    file: str
    line: int
    source: str
    trace: str
    said: str


def code_columns(line: AuthorLine | None) -> dict[str, str | int]:
    """Return a line as the columns in which tables of rejects have it; none where there is no line."""
    if line is None:
        return {}
    return {"code_file": line.file, "code_line": line.line, "code_text": line.source, "code_trace": line.trace}


class AuthorLines:
    """Finds the lines of one executor's author in the errors that its code raises; what was read of files is kept."""

    def __init__(self, executor: type[Any], conceal: Callable[[str], str]) -> None:
        self._root, self._package = _home(executor)
        self._conceal = conceal
        self._owners: dict[str, _Owner] = {}
        self._lines: dict[tuple[Any, ...], AuthorLine] = {}
        self._fresh: set[str] = set()

    def of(self, error: BaseException) -> AuthorLine | None:
        """Return where an error was raised; None where no code of the author's took part.

        An error that is raised again and again keeps the frames of earlier times behind those of the last: it is read
        up to the engine's next frame.
        """
        at, found, call = _traceback_of(error), list[TracebackType](), None
        while at is not None:
            owner = self._owner(at.tb_frame.f_code.co_filename)
            if owner == "author":
                found.append(at)
                call = None
            elif found:
                if owner == "engine":
                    break
                call = at.tb_frame
            at = at.tb_next
        return self._line(found, call) if found else None

    def _line(self, found: list[TracebackType], call: FrameType | None) -> AuthorLine:
        chosen = found if len(found) <= _INNER_FRAMES + 1 else [found[0], *found[-_INNER_FRAMES:]]
        frames = [_frame(each) for each in chosen]
        left_out = len(found) - len(chosen)
        key = (left_out, call and (call.f_code.co_filename, call.f_code.co_qualname), *frames)
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= _MOST_KEPT:
                self._lines.clear()
            scopes = [each.tb_frame.f_globals for each in chosen]
            line = self._lines[key] = self._read(frames, scopes, left_out, None if call is None else _called(call))
        return line

    def _read(self, frames: list[_Frame], scopes: list[dict[str, Any]], left_out: int, call: str | None) -> AuthorLine:
        files = [self._shown_file(frame[0], scope) for frame, scope in zip(frames, scopes, strict=True)]
        places = [f"{file}:{line}" for file, (_, line, _) in zip(files, frames, strict=True)]
        names = [bounded(self._conceal(name), _MOST_NAME) for _, _, name in frames]
        sources = [self._source(frame, scope) for frame, scope in zip(frames, scopes, strict=True)]
        trace = [f"{place} in {name}: {source}" for place, name, source in zip(places, names, sources, strict=True)]
        callers = places[-2::-1]
        if left_out:
            trace.insert(1, f"… {left_out:,} more")
            callers.insert(-1, f"… {left_out:,} more")
        said = f"at {places[-1]} in {names[-1]}: {sources[-1]}"
        if callers:
            said += f"; called from {', '.join(callers)}"
        if call is not None:
            call = bounded(self._conceal(call), _MOST_NAME)
            trace.append(f"calls {call}")
            said += f"; raised in {call}"
        return AuthorLine(files[-1], frames[-1][1], sources[-1], bounded("\n".join(trace), _MOST_TRACE), said)

    def _source(self, frame: _Frame, scope: dict[str, Any]) -> str:
        file, line, _ = frame
        if file not in self._fresh:
            self._fresh.add(file)
            linecache.checkcache(file)
        return bounded(self._conceal(linecache.getline(file, line, scope).strip()), _MOST_SOURCE)

    def _owner(self, file: str) -> _Owner:
        owner = self._owners.get(file)
        if owner is None:
            if len(self._owners) >= _MOST_KEPT:
                self._owners.clear()
            owner = self._owners[file] = self._judged(file)
        return owner

    def _judged(self, file: str) -> _Owner:
        if file.startswith(_TRIVIUM):
            return "engine" if file.startswith(_ENGINE) else "library"
        if file.startswith("<"):
            return "author" if file.startswith(_TYPED_IN) else "library"
        if file.startswith(self._package):
            return "author"
        return "library" if file.startswith(installed_folders()) else "author"

    def _shown_file(self, file: str, scope: dict[str, Any]) -> str:
        """Return a file's path below the project; of any other file, as much of it as names its module."""
        if file.startswith("<") or f"{os.sep}ipykernel_" in file:
            shown = _CELL
        elif file.startswith(self._root):
            shown = file[len(self._root) :]
        else:
            name = scope.get("__name__")
            parts = name.count(".") + 1 if type(name) is str else 1
            shown = "/".join(file.replace(os.sep, "/").split("/")[-parts - file.endswith("__init__.py") :])
        return bounded(self._conceal(shown.replace(os.sep, "/")), _MOST_SOURCE)


def keep_place(error: BaseException, origin: BaseException) -> None:
    """Give an error without a traceback that of the one it comes from."""
    if _traceback_of(error) is None:
        BaseException.with_traceback(error, _traceback_of(origin))


def forget_place(error: BaseException) -> None:
    """Let go of the frames that an error passed: an author may keep the error itself."""
    BaseException.with_traceback(error, None)


def _frame(at: TracebackType) -> _Frame:
    code: CodeType = at.tb_frame.f_code
    return code.co_filename, at.tb_lineno or code.co_firstlineno, code.co_qualname


def _called(frame: FrameType) -> str:
    module, name = frame.f_globals.get("__name__"), frame.f_code.co_qualname
    return f"{module}.{name}" if type(module) is str else name


def _home(executor: type[Any]) -> tuple[str, str]:
    """Return the folder above the package of an executor's module, and the package's own path."""
    module = executor.__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(file, str):
        return os.path.join(os.getcwd(), ""), os.path.join(os.getcwd(), module)
    parts = module.split(".")
    root = os.path.abspath(file)
    for _ in range(len(parts) + (os.path.basename(root) == "__init__.py")):
        root = os.path.dirname(root)
    return os.path.join(root, ""), os.path.join(root, parts[0] + ("" if len(parts) == 1 else os.sep))
