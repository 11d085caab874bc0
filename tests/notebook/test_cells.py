"""The source of what was defined in cells, gathered into a module that runs by itself."""

import linecache
import sys
import traceback
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from trivium.notebook.cell_source import CellModule, cell_module, free_names
from trivium.notebook.errors import InputError
from trivium.notebook.shipment import defined


class Session:
    """Cells run one after the other in one namespace, as a kernel does."""

    def __init__(self) -> None:
        self.module = ModuleType("cells_of_a_test")
        self.cells: list[str] = []
        sys.modules[self.module.__name__] = self.module

    def run(self, *cells: str) -> None:
        """Run cells; one that fails stays in the history."""
        for cell in cells:
            self.cells.append(cell)
            exec(compile(cell, "cell", "exec", dont_inherit=True), vars(self.module))

    def gathered(self, name: str) -> CellModule:
        """The module of a class."""
        return cell_module(getattr(self.module, name), vars(self.module), self.cells)

    def elsewhere(self, name: str) -> Any:
        """The class as another process would have it."""
        module = self.gathered(name)
        return getattr(defined(module.name, module.source), name)


@pytest.fixture
def session() -> Iterator[Session]:
    """A session without cells."""
    known = set(sys.modules)
    session = Session()
    yield session
    for name in set(sys.modules) - known:
        if name.startswith(("trivium_cell_", "cells_of_a_test")):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(a, *b, c=D, **e):\n    g = h(a)\n    return g + c", ["D", "h"]),
        ("class A(B):\n    c: D = E\n    def f(self):\n        return c, self.c", ["B", "D", "E", "c"]),
        ("def f(a: 'list[G] | None') -> 'H': return len(a)", ["G", "H"]),
        ("def f():\n    df = 1\n    return [x for x in df]", []),
        ("X = Y.z[W]", ["W", "Y"]),
        ("@decorated\ndef f(): return (lambda a: a + b)(1)", ["b", "decorated"]),
        ("def f():\n    import os\n    def g(): return os, outer\n    return g", ["outer"]),
    ],
)
def test_free_names_are_the_globals_a_piece_of_source_uses(source: str, names: list[str]) -> None:
    assert free_names(source) == names


def test_a_class_brings_what_it_uses_and_nothing_else(session: Session) -> None:
    session.run(
        "import math as maths, json\nfrom collections import Counter as Bag, OrderedDict",
        "SCALE = 2; UNUSED = open",
        "def twice(x):\n    return SCALE * x",
        "class Base:\n    def area(self, r):\n        return maths.floor(twice(r))",
        "@staticmethod\ndef unused(): return UNUSED",
        "class Circle(Base):\n    bag = Bag('aab')",
    )
    found = session.elsewhere("Circle")
    assert found().area(2.6) == 5
    assert found.bag["a"] == 2
    source = session.gathered("Circle").source
    assert not any(name in source for name in ("UNUSED", "unused", "OrderedDict", "json"))


def test_a_plain_value_travels_as_it_is_now(session: Session) -> None:
    session.run("LIMITS = {'a': [1]}", "LIMITS['a'].append(2)", "class Limited:\n    def all(self): return LIMITS")
    assert session.elsewhere("Limited")().all() == {"a": [1, 2]}


def test_made_values_travel_as_the_statement_that_made_them(session: Session) -> None:
    session.run(
        "import re\nfrom datetime import timedelta\nfrom decimal import Decimal\nfrom typing import Annotated",
        "ONE, TWO = timedelta(1), timedelta(2)\nPATTERN = re.compile('a+')\nSmall = Annotated[int, 3]",
        "square = lambda x: x * x\nPRICE = Decimal('1.50')",
        "class Made:\n    a: Small = 1\n    def all(self): return ONE + TWO, PATTERN.pattern, square(3), PRICE",
    )
    days, pattern, nine, price = session.elsewhere("Made")().all()
    assert (days.days, pattern, nine, str(price)) == (3, "a+", 9, "1.50")


def test_the_last_definition_counts_whichever_cell_it_is_in(session: Session) -> None:
    session.run("class A: value = 1", "class B:\n    def get(self): return A.value", "class A: value = 2")
    assert session.elsewhere("B")().get() == 2


def test_functions_that_call_each_other_travel_together(session: Session) -> None:
    session.run(
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n > 0 and even(n - 1)",
        "class Parity:\n    def of(self, n): return even(n)",
    )
    assert session.elsewhere("Parity")().of(10)


def test_definitions_inside_a_condition_travel_with_it(session: Session) -> None:
    session.run("try:\n    import no_such_module\nexcept ImportError:\n    def fallback(): return 1", "%bad magic"[:0])
    session.run("class Uses:\n    def it(self): return fallback()")
    assert session.elsewhere("Uses")().it() == 1


def test_postponed_annotations_stay_postponed(session: Session) -> None:
    session.run("from __future__ import annotations\nclass A:\n    b: Undefined")
    assert session.elsewhere("A").__annotations__ == {"b": "Undefined"}


def test_cells_that_are_no_python_are_passed_over(session: Session) -> None:
    session.cells.append("%%bash\nls")
    session.run("class A: pass")
    assert session.elsewhere("A")


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("import pandas as pd\ndata = pd.DataFrame({'a': [1]})", "data (pandas.DataFrame)"),
        ("data = open('/dev/null')", "data (_io.TextIOWrapper)"),
        ("data = [object()]", "data (builtins.list)"),
        ("data = 'x' * 200_000", "data (builtins.str)"),
        ("import threading\ndata = threading.Lock()", "data (_thread.lock)"),
    ],
)
def test_data_does_not_travel_with_code(session: Session, cell: str, what: str) -> None:
    session.run(cell, "def used(): return data", "class Uses:\n    def it(self): return used()")
    with pytest.raises(InputError) as refused:
        session.gathered("Uses")
    assert str(refused.value).startswith(f"{what}, used by Uses → used, cannot be sent to the cluster")
    assert "lookup" in str(refused.value)
    close = getattr(vars(session.module)["data"], "close", None)
    if close is not None:
        close()


def test_something_no_cell_defines_comes_from_its_module_or_is_refused(session: Session) -> None:
    vars(session.module)["injected"] = linecache.getline
    session.run("class Uses:\n    def it(self): return injected")
    assert session.elsewhere("Uses")().it() is linecache.getline
    vars(session.module)["injected"] = object()
    with pytest.raises(InputError, match="no cell or import defines it"):
        session.gathered("Uses")


def test_equal_sources_have_equal_names(session: Session) -> None:
    session.run("class A: value = 1")
    first = session.gathered("A")
    session.run("class Other: pass")
    assert session.gathered("A") == first
    session.run("class A: value = 2")
    assert session.gathered("A").name != first.name


def test_a_traceback_shows_the_line_of_the_cell(session: Session) -> None:
    session.run("class A:\n    def fail(self):\n        raise ValueError('from a cell')")
    try:
        session.elsewhere("A")().fail()
    except ValueError as error:
        shown = "".join(traceback.format_exception(error))
    assert "raise ValueError('from a cell')" in shown


def test_a_module_that_fails_is_not_kept() -> None:
    with pytest.raises(ZeroDivisionError):
        defined("trivium_cell_fails", "1 / 0")
    assert "trivium_cell_fails" not in sys.modules
