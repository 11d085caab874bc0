"""Kinds of fields: a module added to `trivium.types.kinds` is all that a new one needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from msgspec import inspect as ms

from trivium import ContractError, Row
from trivium.engine.rows.emit import check_rows
from trivium.types import kinds
from trivium.types.conform import conform
from trivium.types.convert import StructBuilder, columns_of
from trivium.types.kinds.struct import json_objects
from trivium.types.rows import all_kinds, row_fields
from trivium.types.structs import derive

MODULE = '''
from msgspec import inspect as ms
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from hypothesis import strategies as st
from trivium.types.spec import Conformed, Kind, TypeSpec


class Frozen(Kind):
    """A set of texts, kept as one text with a comma between them."""

    info = (ms.FrozenSetType,)
    exact = (frozenset,)

    def spec(self, info, extra, where):
        return TypeSpec(pa.string(), self)

    def annotation(self, spec):
        return frozenset[str]

    def column_problem(self, arrow, spec, timezone):
        return None if pt.is_string(arrow) else f"expected names, got {arrow}"

    def conform(self, column, spec, timezone):
        out = Conformed(column)
        out.refuse(pc.match_substring(column, ";"), "expected commas")
        return out

    def writer(self, spec):
        return lambda names: ",".join(sorted(names))

    def value_reader(self, spec):
        return lambda text: frozenset(text.split(","))

    def values(self, spec):
        return st.sampled_from(["a", "a,b"])

    def json_values(self, spec):
        return self.values(spec).map(lambda text: text.split(","))
'''


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A row class with fields of a kind that a module of its own adds."""
    (tmp_path / "added_for_a_test.py").write_text(MODULE)
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    all_kinds.cache_clear()

    class Named(Row):
        names: frozenset[str]
        others: tuple[frozenset[str], ...] = ()
        last: frozenset[str] | None = None

    yield Named
    all_kinds.cache_clear()


def test_a_module_adds_a_kind(named: Any) -> None:
    fields = row_fields(named)
    assert [str(spec.type.declared) for spec in fields] == ["string", "list<item: string not null>", "string"]
    decoded = msgspec.json.decode(b'{"names": ["b", "a"], "others": [["c"]]}', type=derive(named, fields))
    checked = check_rows([decoded], [0], fields)
    assert not checked.refused
    assert checked.columns.to_pylist() == [{"names": "a,b", "others": ["c"], "last": None}]
    assert columns_of([decoded], fields).to_pylist() == checked.columns.to_pylist()
    built = StructBuilder(named, fields).build(checked.columns)[0]
    assert (built.names, built.others, built.last) == (frozenset("ab"), (frozenset("c"),), None)
    conformed = conform(pa.array(["a", "b;c", None]), fields[0])
    assert [(mask.tolist(), reason) for mask, reason in conformed.flaws] == [
        ([False, True, False], "expected commas"),
        ([False, False, True], "a value is required, got null"),
    ]
    json_objects(fields).validate()


def test_a_row_with_another_value_is_refused(named: Any) -> None:
    fields = row_fields(named)
    checked = check_rows([named(names=frozenset("a")), named(names="a")], [0, 1], fields)
    assert checked.columns.num_rows == 1
    assert checked.refused[1].startswith("names: expected string, got 'a' (str): ")


def test_a_type_of_no_kind_is_named() -> None:
    class Named(Row):
        inner: tuple[timedelta | frozenset[str], ...]

    with pytest.raises(ContractError, match="inner"):
        row_fields(Named)


def test_every_kind_describes_something_of_its_own() -> None:
    own = all_kinds()
    assert len(own) == len({info for kind in set(own.values()) for info in kind.info})
    assert {ms.IntType, ms.StrType, ms.StructType, ms.VarTupleType} <= own.keys()
    assert own[ms.DateTimeType].exact == (type(datetime.now(UTC)),)
