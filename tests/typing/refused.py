"""Code that checkers have to refuse: every line that ends in `# refused`, mypy those marked as its own alone."""

from datetime import datetime

from trivium import Enrichment, Event, Executor, ExecutorOptions, NormalizedEvent, Row, SourcePart


class Customer(Row):
    """A customer."""

    name: str


class Order(Event, tag="order"):
    """An order."""

    order_id: str
    at: datetime
    amount: float
    note: str | None = None


class OrderRow(NormalizedEvent):
    """A row."""

    amount: float


class OtherRow(NormalizedEvent):
    """Another row."""


class Orders(Executor[Order, OrderRow]):
    """An executor that is wrong in many places."""

    class Options(ExecutorOptions):
        """Options."""

        large_from: float = 1.0

    options: Options
    customer = Enrichment(Customer, key="order_id")

    def process(self, event: Order, customer: Customer) -> OrderRow:
        """Wrong attributes, values and arguments."""
        self.options.large_form  # refused
        event.amonut  # refused
        customer.nmae  # refused
        event.note.upper()  # refused
        event.amount = 1.0  # refused
        OrderRow(event_id="1", event_time=event.at)  # refused
        OrderRow(event_id="1", event_time=event.at, amount="much")  # refused
        OrderRow(event_id="1", event_time=event.at, amount=1.0, more=1)  # refused
        OrderRow("1", event.at, 1.0)  # refused
        return OtherRow(event_id="1", event_time=event.at)  # refused


class WrongEvent(Executor[Order, OrderRow]):
    """An executor that takes another event than it says."""

    def process(self, event: Customer) -> OrderRow:  # refused by mypy
        """Never called."""
        raise ValueError(event.name)


class WrongRow(Executor[Order, OrderRow]):
    """An executor that returns another row than it says."""

    def process(self, event: Order) -> OtherRow:  # refused
        """Never called."""
        raise ValueError(event.order_id)


class WrongAnswer(Executor[Order, OrderRow]):
    """An executor whose filter returns text."""

    def accepts(self, event: Order) -> str:  # refused
        """Never called."""
        return event.order_id


Enrichment(Customer, key="order_id", missing="nothing")  # refused
Enrichment(Customer, key="order_id", hints="CACHEABLE")  # refused
Executor[Customer, OrderRow]  # refused
SourcePart(name="all", rows="3", version="1")  # refused
