"""Row classes that no column can hold: named when a class is defined, not somewhere deep inside."""

from __future__ import annotations

from typing import Any

import pytest

from trivium import ContractError, Enrichment, Event, Executor, NormalizedEvent, Precision, Row


class Node(Row):
    name: str
    children: tuple[Node, ...] = ()


class Link(Row):
    after: Link | None = None


class Left(Row):
    name: str
    right: Right | None = None


class Right(Row):
    lefts: tuple[Left | None, ...] = ()


class Holder(Row):
    inside: Left | None = None


class Tree(Event, tag="tree"):
    id: str
    root: Node | None = None


class Flat(Event, tag="flat"):
    id: str


class TreeRow(NormalizedEvent):
    root: Node | None = None


class FlatRow(NormalizedEvent):
    pass


class Tags(Event, tag="tags"):
    id: str
    tags: dict[str, list[Node]]


class Twice(Event, tag="twice"):
    """One class in two places is no row in itself."""

    id: str
    one: Flatter | None = None
    two: Flatter | None = None
    more: tuple[Flatter, ...] = ()


class Flatter(Row):
    name: str


def define(event: Any, row: Any, enrichment: Any = None) -> None:
    def process(self: Any, event: Any) -> Any:
        return None

    def with_fact(self: Any, event: Any, fact: Any) -> Any:
        return None

    members = {"process": with_fact, "fact": Enrichment(enrichment, key="id")} if enrichment else {"process": process}

    class Odd(Executor[event, row]):  # type: ignore[valid-type]
        locals().update(members)


@pytest.mark.parametrize(
    ("event", "row", "enrichment", "way"),
    [
        (Tree, FlatRow, None, "Tree holds a row that holds itself (Node > Node)"),
        (Flat, TreeRow, None, "TreeRow holds a row that holds itself (Node > Node)"),
        (Flat, FlatRow, Link, "Link holds a row that holds itself (Link > Link)"),
        (Flat, FlatRow, Holder, "Holder holds a row that holds itself (Left > Right > Left)"),
        (Flat, FlatRow, Right, "Right holds a row that holds itself (Right > Left > Right)"),
        (Tags, FlatRow, None, "Tags holds a row that holds itself (Node > Node)"),
    ],
)
def test_a_row_in_itself_is_named(event: Any, row: Any, enrichment: Any, way: str) -> None:
    with pytest.raises(ContractError) as caught:
        define(event, row, enrichment)
    said = str(caught.value)
    assert "Odd (" in said
    assert f"{way}; a column has no such type. Try: " in said


def test_a_row_in_two_places_is_none_in_itself() -> None:
    define(Twice, FlatRow)


@pytest.mark.parametrize("digits", [(0, 0), (39, 2), (5, 6), (5, -1), (True, 0), (5.0, 2), ("5", 2), (-3, 0)])
def test_digits_that_cannot_be_are_refused(digits: Any) -> None:
    with pytest.raises(ContractError, match="expected 1 to 38 digits"):
        Precision(*digits)


@pytest.mark.parametrize("digits", [(1, 0), (38, 38), (38, 0)])
def test_digits_that_can_be(digits: Any) -> None:
    Precision(*digits)


class Careful(Event, tag="careful"):
    id: str

    def __post_init__(self) -> None:
        raise ValueError("never in columns")


def test_code_that_columns_never_run_is_refused() -> None:
    with pytest.raises(ContractError, match="Careful has a __post_init__, which rows that are read as columns never"):
        define(Careful, FlatRow)
