"""Keys of every kind, in both forms of executors: of several fields, lists, of other enrichments, of methods."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import new_class
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.support.engine_inputs import raw
from tests.support.flow_events import emitted, rejects
from trivium import Answer, Enrichment, Event, Executor, NormalizedEvent, RejectError, Row, RowErrors
from trivium.config.worker_spec import spec_of
from trivium.core.clock import Deadline
from trivium.engine.blocking import BlockingWorker


class Item(Row):
    name: str
    seller: str | None = None


class Seller(Row):
    city: str


class Order(Event, tag="order"):
    id: str
    at: datetime
    item: str | None = None
    country: str | None = None
    items: tuple[str, ...] | None = None


class Line(NormalizedEvent):
    text: str | None = None


@dataclass
class Table:
    """Rows by key, a tuple where it has several values, and by the hour since which they are valid."""

    rows: dict[Any, dict[str, Any]]
    asked: list[Any] = field(default_factory=list)
    in_memory: ClassVar[bool] = True

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        wanted = [tuple(key.values()) if isinstance(key, dict) else key for key in keys.to_pylist()]
        return self._answer(wanted)

    def fetch_as_of(self, keys: pa.Array, times: pa.TimestampArray, deadline: Deadline) -> Answer:
        return self._answer([(key, time.hour) for key, time in zip(keys.to_pylist(), times.to_pylist(), strict=True)])

    def _answer(self, wanted: list[Any]) -> Answer:
        self.asked.append(sorted(wanted))
        names = list(self.rows)
        index = [names.index(key) if key in self.rows else None for key in wanted]
        return Answer(pa.RecordBatch.from_pylist(list(self.rows.values())), pa.array(index, pa.int32()))


FORMS = pytest.mark.parametrize("form", ["row", "column"])
ITEMS = {"a": {"name": "apple", "seller": "s1"}, "b": {"name": "bread", "seller": None}}
SELLERS = {"s1": {"city": "Oslo"}}


def order(number: int, hour: int = 0, **fields: Any) -> bytes:
    at = datetime(2024, 1, 1, hour, tzinfo=UTC).isoformat()
    return json.dumps({"event_type": "order", "id": f"o{number}", "at": at, **fields}).encode()


def run(executor: type[Executor[Any, Any]], tables: dict[str, Table], *orders: bytes) -> Any:
    return BlockingWorker(spec_of([executor]), tables).run(raw(*orders))


def texts(events: pa.RecordBatch, column: pa.Array) -> tuple[pa.RecordBatch, list[int]]:
    """Rows with this text, one an event, in column form."""
    columns = {"event_id": events.column("id"), "event_time": events.column("at"), "text": column}
    return pa.RecordBatch.from_pydict(columns), list(range(events.num_rows))


def made(form: str, enrichments: dict[str, Enrichment], value: Any, column: Any, **methods: Any) -> Any:
    """An executor with these enrichments whose rows have a text: `value` of facts as rows, `column` of columns."""

    def process(self: Any, event: Order, **facts: Any) -> Line:
        return Line(event_id=event.id, event_time=event.at, text=value(**facts))

    def process_batch(self: Any, events: pa.RecordBatch, **facts: Any) -> Any:
        return texts(events, column(**facts))

    name, function = ("process", process) if form == "row" else ("process_batch", process_batch)
    parameters = "".join(f", {each}" for each in enrichments)
    inner = ", ".join(f"{each}={each}" for each in enrichments)
    scope: dict[str, Any] = {"function": function}
    exec(f"def {name}(self, event{parameters}): return function(self, event, {inner})", scope)
    return new_class(
        "Made", (Executor[Order, Line],), {}, lambda body: body.update(enrichments, **{name: scope[name]}, **methods)
    )


def fresh(*names: str, **settings: Any) -> dict[str, Enrichment]:
    return {name: Enrichment(Item, lookup="items", **settings) for name in names}


@FORMS
def test_a_key_of_several_fields_is_null_where_one_of_them_is(form: str) -> None:
    executor = made(
        form,
        fresh("item", key=("item", "country"), missing="null"),
        lambda item: item and item.name,
        lambda item: item.column("name"),
    )
    table = Table({("a", "no"): {"name": "eple", "seller": None}, ("a", "de"): {"name": "Apfel", "seller": None}})
    out = run(
        executor,
        {"items": table},
        order(0, item="a", country="no"),
        order(1, item="a", country="de"),
        order(2, item="a"),
        order(3, item="a", country="no"),
        order(4, item="b", country="no"),
    )
    assert emitted(out, "text", "order") == ["eple", "Apfel", None, "eple", None]
    assert emitted(out, "_enrichments", "order") == [None, None, '{"item":"null_key"}', None, '{"item":"missing"}']
    assert table.asked == [[("a", "de"), ("a", "no"), ("b", "no")]]


@FORMS
def test_a_list_of_keys_gives_a_list_of_rows(form: str) -> None:
    executor = made(
        form,
        fresh("items", key="items", missing="null"),
        lambda items: None if items is None else "+".join("-" if item is None else item.name for item in items),
        lambda items: pa.array(
            [
                None if names is None else "+".join(name or "-" for name in names)
                for names in items.column("name").to_pylist()
            ],
            pa.string(),
        ),
    )
    table = Table(ITEMS)
    out = run(
        executor,
        {"items": table},
        order(0, items=["a", "b", "a"]),
        order(1, items=["b", "zz"]),
        order(2, items=[]),
        order(3),
    )
    assert emitted(out, "text", "order") == ["apple+bread+apple", "bread+-", "", None]
    states = [None, '{"items":"missing"}', None, '{"items":"null_key"}']
    assert emitted(out, "_enrichments", "order") == states
    assert table.asked == [["a", "b", "zz"]]


@FORMS
def test_a_key_of_another_enrichment_is_fetched_after_it(form: str) -> None:
    enrichments = fresh("item", key="item", missing="null")
    enrichments["seller"] = Enrichment(Seller, key="item.seller", lookup="sellers", missing="null")
    executor = made(
        form,
        enrichments,
        lambda item, seller: seller and seller.city,
        lambda item, seller: seller.column("city"),
    )
    items, sellers = Table(ITEMS), Table(SELLERS)
    out = run(executor, {"items": items, "sellers": sellers}, order(0, item="a"), order(1, item="b"), order(2))
    assert emitted(out, "text", "order") == ["Oslo", None, None]
    assert sellers.asked == [["s1"]]


@FORMS
def test_the_rows_of_a_list_have_keys_of_their_own(form: str) -> None:
    enrichments = fresh("items", key="items", missing="null")
    enrichments["sellers"] = Enrichment(Seller, key="items.seller", lookup="sellers", missing="null")
    executor = made(
        form,
        enrichments,
        lambda items, sellers: sellers and "+".join("-" if each is None else each.city for each in sellers),
        lambda items, sellers: pa.array(
            [cities and "+".join(city or "-" for city in cities) for cities in sellers.column("city").to_pylist()],
            pa.string(),
        ),
    )
    tables = {"items": Table(ITEMS), "sellers": Table(SELLERS)}
    out = run(executor, tables, order(0, items=["a", "b", "zz"]), order(1, items=["a"]))
    assert emitted(out, "text", "order") == ["Oslo+-+-", "Oslo"]


def key_of_row(self: Any, event: Order) -> str | None:
    if event.item == "boom":
        raise RejectError("no key for this")
    return None if event.country == "xx" else event.item


def key_of_batch(self: Any, events: pa.RecordBatch) -> pa.Array:
    items = events.column("item")
    wrong = pc.equal(items, "boom").to_pylist()
    if any(wrong):
        raise RowErrors({row: "no key for this" for row, each in enumerate(wrong) if each})
    return pc.if_else(
        pc.fill_null(pc.equal(events.column("country"), "xx"), False), pa.scalar(None, pa.string()), items
    )


@FORMS
def test_a_method_gives_keys_and_none_needs_no_fact(form: str) -> None:
    executor = made(
        form,
        fresh("item", key="own_key", missing="reject", **({"key_type": str} if form == "column" else {})),
        lambda item: item and item.name,
        lambda item: item.column("name"),
        own_key=key_of_row if form == "row" else key_of_batch,
    )
    table = Table(ITEMS)
    out = run(
        executor,
        {"items": table},
        order(0, item="a"),
        order(1, item="a", country="xx"),
        order(2, item="boom"),
        order(3, item="zz"),
        order(4, item="b"),
    )
    assert emitted(out, "text", "order") == ["apple", None, "bread"]
    assert emitted(out, "_enrichments", "order") == [None, None, None]
    assert {row: (r.stage, r.reason) for row, r in rejects(out).items()} == {
        2: ("enrich", "RejectError"),
        3: ("enrich", "enrichment_missing"),
    }
    assert table.asked == [["a", "b", "zz"]]


def test_what_a_method_returns_that_is_no_key_is_its_events_reject() -> None:
    class Wrong(Executor[Order, Line]):
        item = Enrichment(Item, key="own_key", lookup="items")

        def own_key(self, event: Order) -> str | None:
            return 7 if event.id == "o1" else event.item  # type: ignore[return-value]

        def process(self, event: Order, item: Item) -> Line:
            return Line(event_id=event.id, event_time=event.at, text=item.name)

    out = run(Wrong, {"items": Table(ITEMS)}, order(0, item="a"), order(1, item="a"))
    assert emitted(out, "text", "order") == ["apple"]
    (reject,) = rejects(out).values()
    assert (reject.stage, reject.reason) == ("enrich", "ContractError")
    assert "own_key returned what is no key: not a str" in reject.error


@FORMS
def test_as_of_asks_for_the_fact_of_each_time(form: str) -> None:
    executor = made(
        form,
        fresh("item", key="item", as_of="at", missing="null"),
        lambda item: item and item.name,
        lambda item: item.column("name"),
    )
    table = Table({("a", 1): {"name": "early", "seller": None}, ("a", 2): {"name": "late", "seller": None}})
    orders = [order(number, hour, item="a") for number, hour in enumerate((1, 2, 1, 3))]
    out = run(executor, {"items": table}, *orders, order(4, 1))
    assert emitted(out, "text", "order") == ["early", "late", "early", None, None]
    assert table.asked == [[("a", 1), ("a", 2), ("a", 3)]]


@FORMS
def test_a_default_row_stands_in_and_is_written_down(form: str) -> None:
    executor = made(
        form,
        fresh("item", key="item", default=Item(name="thing", seller="nobody")),
        lambda item: item.name,
        lambda item: item.column("name"),
    )
    out = run(executor, {"items": Table(ITEMS)}, order(0, item="a"), order(1, item="zz"), order(2))
    assert emitted(out, "text", "order") == ["apple", "thing", "thing"]
    assert emitted(out, "_enrichments", "order") == [None, '{"item":"defaulted"}', '{"item":"defaulted"}']


def test_several_event_types_ask_a_lookup_once() -> None:
    class Return(Event, tag="return"):
        id: str
        at: datetime
        thing: str

    class Returns(Executor[Return, Line]):
        item = Enrichment(Item, key="thing", lookup="items")

        def process(self, event: Return, item: Item) -> Line:
            return Line(event_id=event.id, event_time=event.at, text=item.name)

    class Orders(Executor[Order, Line]):
        item = Enrichment(Item, key="item", lookup="items")

        def process(self, event: Order, item: Item) -> Line:
            return Line(event_id=event.id, event_time=event.at, text=item.name)

    table = Table(ITEMS)
    back = json.dumps({"event_type": "return", "id": "r", "at": "2024-01-01T00:00:00Z", "thing": "b"}).encode()
    out = BlockingWorker(spec_of([Orders, Returns]), {"items": table}).run(raw(order(0, item="a"), back))
    assert (emitted(out, "text", "order"), emitted(out, "text", "return")) == (["apple"], ["bread"])
    assert table.asked == [["a", "b"]]
