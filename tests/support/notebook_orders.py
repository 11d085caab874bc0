"""An executor of orders, as a notebook would define it."""

from datetime import datetime

from trivium import Event, Executor, NormalizedEvent


class Order(Event, tag="order"):
    order_id: str
    placed_at: datetime
    amount: float


class OrderRow(NormalizedEvent):
    amount: float


class OrderExecutor(Executor[Order, OrderRow]):
    def process(self, event: Order) -> OrderRow:
        return OrderRow(event_id=event.order_id, event_time=event.placed_at, amount=event.amount)
