"""An executor packed for another process, and unpacked there."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from trivium.contract.executor import Executor
from trivium.contract.lookup import Lookup
from trivium.notebook.cell_source import CellModule, cell_module
from trivium.notebook.errors import InputError
from trivium.types.spec import FieldSpec

MAIN: Final = "__main__"


@dataclass(frozen=True)
class Shipment:
    """An executor by its module and name, its options' values, and its lookups' rows.

    `source` is the module's text where no other process could import it.
    """

    module: str
    qualname: str
    source: str | None
    options: Mapping[str, Any]
    lookups: Mapping[str, Lookup]

    def executor(self) -> type[Executor[Any, Any]]:
        """Return the class, as this process has it."""
        module = importlib.import_module(self.module) if self.source is None else defined(self.module, self.source)
        found: Any = module
        for name in self.qualname.split("."):
            found = getattr(found, name)
        return found  # type: ignore[no-any-return]


def packed(executor: type[Executor[Any, Any]], options: Mapping[str, Any], lookups: Mapping[str, Lookup]) -> Shipment:
    """Return an executor ready to travel. One defined in a cell or a script travels as source.

    Raises:
        InputError: its source cannot be found, is older than the class, or uses something that cannot travel.
    """
    if executor.__module__ != MAIN:
        return Shipment(executor.__module__, executor.__qualname__, None, options, lookups)
    namespace = vars(sys.modules[MAIN])
    _check_current(executor, namespace)
    module = cell_module(executor, namespace, _cells(executor, namespace))
    shipment = Shipment(module.name, executor.__qualname__, module.source, options, lookups)
    _check_same(executor, shipment, module)
    return shipment


def defined(name: str, source: str) -> ModuleType:
    """Return the module of this source, made once a process; tracebacks show its lines."""
    if name in sys.modules:
        return sys.modules[name]
    file = f"<{name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module = ModuleType(name, "Gathered from notebook cells.")
    sys.modules[name] = module
    try:
        exec(compile(source, file, "exec", dont_inherit=True), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _cells(executor: type, namespace: Mapping[str, Any]) -> list[str]:
    """Return what was run so far: a notebook's cells (IPython keeps them in `In`), or the script."""
    cells = namespace.get("In")
    if isinstance(cells, list):
        return [str(cell) for cell in cells]
    file = namespace.get("__file__")
    if isinstance(file, str) and Path(file).is_file():
        return [Path(file).read_text(encoding="utf-8")]
    raise InputError(
        f"the source of {executor.__qualname__} is not kept in this session. Try: define it in a notebook, a script or "
        "a module, or run without address"
    )


def _check_current(executor: type[Executor[Any, Any]], namespace: Mapping[str, Any]) -> None:
    if namespace.get(executor.__qualname__) is not executor:
        raise InputError(
            f"{executor.__qualname__} is not what that name stands for now. Try: define it at the top level of a cell, "
            "and run its cell again before this one"
        )
    declaration = executor.declaration
    rows = [declaration.event, declaration.row, *(each.row for each in declaration.enrichments.values())]
    for row in rows:
        if row.__module__ == MAIN and namespace.get(row.__qualname__) is not row:
            raise InputError(
                f"{row.__qualname__} was defined again after {executor.__qualname__}, which still uses the old one. "
                f"Try: run the cell of {executor.__qualname__} again"
            )


def _check_same(executor: type[Executor[Any, Any]], shipment: Shipment, module: CellModule) -> None:
    """Make the module here first: what is wrong with it is better said before it travels."""
    try:
        found = shipment.executor().declaration
    except Exception as error:
        raise InputError(
            f"the source gathered for {executor.__qualname__} does not run by itself: {type(error).__name__}: {error}. "
            f"Try: restart the kernel and run all cells, or move the classes into a module. It was:\n{module.source}"
        ) from error
    own = executor.declaration
    if [_shape(own.event_fields), _shape(own.row_specs)] != [_shape(found.event_fields), _shape(found.row_specs)]:
        raise InputError(
            f"the last source of {executor.__qualname__} is not the one it was made from (did that cell fail?). "
            "Try: run its cell again"
        )


def _shape(fields: tuple[FieldSpec, ...]) -> list[tuple[Any, ...]]:
    return [(spec.name, spec.wire, str(spec.type.declared), spec.nullable, spec.required) for spec in fields]
