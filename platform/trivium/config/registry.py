"""Finds the executor class of each event type: in the project's folder `executors/`, else among installed packages."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from trivium.contract.declaration import Declaration
from trivium.contract.executor import Executor
from trivium.core.errors import ContractError
from trivium.core.suggest import one_of

GROUP: Final = "trivium.executors"
PACKAGE: Final = "executors"
_MOST_SAID: Final = 1_000
ExecutorClass = type[Executor[Any, Any]]


@dataclass(frozen=True)
class Failure:
    """Reason why an event type has no executor; the compiler knows where in the file it is named."""

    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Offer:
    """Event types that a project may list, sorted, and the failures of folders that do not import."""

    event_types: Sequence[str]
    failures: Sequence[Failure]


@dataclass(frozen=True)
class Registry:
    """Event types with their executor classes, and those without, with the reason."""

    classes: Mapping[str, ExecutorClass] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)

    @classmethod
    def from_project(cls, root: Path, event_types: Iterable[str]) -> Registry:
        """Return the executors of these types. Imports their modules, with `root` first on the path."""
        _lead_with(root)
        wanted = list(dict.fromkeys(event_types))
        project = _Project(root.resolve())
        found: dict[str, ExecutorClass | Failure] = {name: project.find(name) for name in wanted}
        found.update(_claimed_twice(found))
        return cls(
            {name: value for name, value in found.items() if not isinstance(value, Failure)},
            {name: value for name, value in found.items() if isinstance(value, Failure)},
        )


def offered(root: Path) -> Offer:
    """Return the event types that the folders of a project and installed packages offer. Imports all of them."""
    _lead_with(root)
    return _Project(root.resolve()).offered()


def module_name(event_type: str) -> str:
    """Return the module an event type's executor lives in: `a-b` in `executors.a_b.executor`."""
    folder = event_type.replace("-", "_").replace(".", "_")
    return f"{PACKAGE}.{folder}.executor"


@functools.cache
def installed_points() -> Mapping[str, importlib.metadata.EntryPoint]:
    """Return the executors of installed packages, by event type. Read once a process: it opens every distribution."""
    return {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}


class _Project:
    """A project's `executors/` beside the installed entry points."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._points = installed_points()

    def find(self, event_type: str) -> ExecutorClass | Failure:
        file = self._root.joinpath(*module_name(event_type).split(".")).with_suffix(".py")
        point = self._points.get(event_type)
        if not file.is_file():
            return self._installed(event_type, point) if point else self._shared(event_type)
        own = self._own(event_type)
        if point is None or isinstance(own, Failure):
            return own
        return _twice(event_type, _place(own), f"the installed package's {point.value}")

    def offered(self) -> Offer:
        """Return the event types that folders and installed packages offer."""
        modules = self._modules()
        claimed = {name for module in modules.values() for value in _executors(module) for name in _claims(value)}
        failures = [module for module in modules.values() if isinstance(module, Failure)]
        return Offer(sorted(claimed | set(self._points)), failures)

    def _shared(self, event_type: str) -> ExecutorClass | Failure:
        """Return the executor of a type without a folder of its own: a class of another folder that claims it."""
        modules = self._modules()
        executors = [value for module in modules.values() for value in _executors(module)]
        claiming = [value for value in executors if event_type in _claims(value)]
        if len(claiming) == 1:
            return claiming[0]
        if claiming:
            return _twice(event_type, *(_place(value) for value in claiming[:2]))
        for file, module in modules.items():
            if isinstance(module, Failure) and f'"{event_type}"' in file.read_text(errors="replace"):
                return module
        return self._unknown(event_type)

    def _modules(self) -> dict[Path, ModuleType | Failure]:
        """Import the executors of all folders."""
        files = sorted((self._root / PACKAGE).glob("*/executor.py"))
        return {file: _imported(f"{PACKAGE}.{file.parent.name}.executor", self._root) for file in files}

    def _unknown(self, event_type: str) -> Failure:
        folders = [path.parent.name for path in (self._root / PACKAGE).glob("*/executor.py")]
        nearest = one_of(event_type, [*folders, *self._points])
        hint = f"{nearest}; or: " if nearest else ""
        message = f"there is no executor of {event_type!r}: no {module_name(event_type).replace('.', '/')}.py"
        return Failure("unknown-executor", message, f"{hint}trivium new executor {event_type}")

    def _own(self, event_type: str) -> ExecutorClass | Failure:
        if not (self._root / PACKAGE / "__init__.py").is_file():
            message = "the folder executors/ is no package: it has no __init__.py"
            return Failure("no-executors-package", message, "create an empty executors/__init__.py")
        module = _imported(module_name(event_type), self._root)
        if isinstance(module, Failure):
            return module
        file = Path(module.__file__ or "")
        if not file.resolve().is_relative_to(self._root):
            message = f"an installed package named executors hides the project's: {module.__name__} came from {file}"
            return Failure("executor-outside", message, "uninstall that package, or rename it")
        return _only_class(module, event_type)

    def _installed(self, event_type: str, point: importlib.metadata.EntryPoint) -> ExecutorClass | Failure:
        try:
            loaded = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an author's module may raise anything
            return _import_failure(point.value, error, self._root)
        if isinstance(loaded, type) and issubclass(loaded, Executor) and event_type in _claims(loaded):
            return loaded
        message = f"the entry point {point.value} is no executor of {event_type!r}"
        return Failure("executor-missing", message, f'class …(Event, tag="{event_type}")')


def _lead_with(root: Path) -> None:
    """Put `root` first on the path and forget an `executors` package that came from another project."""
    folder = str(root.resolve())
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    known = sys.modules.get(PACKAGE)
    if known is not None and not str(getattr(known, "__file__", None) or "").startswith(f"{folder}/"):
        for name in [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]:
            del sys.modules[name]


def _imported(name: str, root: Path) -> ModuleType | Failure:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an author's module may raise anything
        return _import_failure(name, error, root)


def _import_failure(name: str, error: BaseException, root: Path) -> Failure:
    if isinstance(error, ContractError):
        place = f"{error.where}: " if error.where else ""
        return Failure("executor-contract", f"{place}{error.message}", error.hint)
    if isinstance(error, SyntaxError):
        place = f"{error.filename}:{error.lineno}"
        return Failure("executor-import", f"{name} is not Python: {error.msg} at {place}", "correct that line")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(root)]
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    # Of the standard library, since an author's error may fail to print.
    said = "".join(traceback.format_exception_only(error)).strip()[:_MOST_SAID]
    message = f"importing {name} failed{place}: {said}"
    hint = "install it, or correct the import" if isinstance(error, ImportError) else "correct that line"
    return Failure("executor-import", message, hint)


def _only_class(module: ModuleType, event_type: str) -> ExecutorClass | Failure:
    own = _executors(module)
    claiming = list(dict.fromkeys(value for value in own if event_type in _claims(value)))
    if len(claiming) == 1:
        return claiming[0]
    if claiming:
        return _twice(event_type, *(_place(value) for value in claiming[:2]))
    others = ", ".join(f"{value.__name__} of {', '.join(map(repr, _claims(value)))}" for value in own) or "none"
    message = f"{module.__file__} defines no executor of {event_type!r}; executors there: {others}"
    return Failure("executor-missing", message, f'class …(Event, tag="{event_type}")')


def _executors(module: ModuleType | Failure) -> list[ExecutorClass]:
    """Return the executors that a module defines."""
    if isinstance(module, Failure):
        return []
    return list(dict.fromkeys(value for value in vars(module).values() if _is_executor_of(value, module)))


def _is_executor_of(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and issubclass(value, Executor) and value.__module__ == module.__name__


def _claims(executor: ExecutorClass) -> tuple[str, ...]:
    declaration: Declaration | None = getattr(executor, "declaration", None)
    return declaration.event_types if declaration else ()


def _place(executor: ExecutorClass) -> str:
    return f"{executor.__name__} ({executor.declaration.file}:{executor.declaration.line})"


def _twice(event_type: str, one: str, other: str) -> Failure:
    message = f"{event_type!r} is claimed by {one} and by {other}"
    return Failure("executor-claimed-twice", message, "one event type has one executor")


def _claimed_twice(found: Mapping[str, ExecutorClass | Failure]) -> dict[str, Failure]:
    """Return types whose executor is also claimed by a class in another listed type's module."""
    twice: dict[str, Failure] = {}
    for own in found.values():
        if isinstance(own, Failure):
            continue
        module = sys.modules[own.__module__]
        for other in _executors(module):
            for claimed in _claims(other):
                first = found.get(claimed)
                if isinstance(first, type) and first is not other:
                    twice[claimed] = _twice(claimed, _place(first), _place(other))
    return twice
