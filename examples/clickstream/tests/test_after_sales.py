"""Deliveries and tickets: the times in them."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest

from executors.delivery.executor import Delivery, DeliveryExecutor, Slot
from executors.support_ticket.executor import Message, SupportTicket, SupportTicketExecutor

AT = datetime(2026, 3, 27, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(("at", "in_slot"), [(time(9), True), (time(17), True), (time(17, 0, 1), False)])
def test_a_delivery_is_in_its_slot_to_the_second(at: time, in_slot: bool) -> None:
    slot = Slot(begins=time(9), ends=time(17))
    delivery = Delivery(id="d", at=AT, user="ada", tracking="t", handed_over=True, local_time=at, slot=slot)
    assert DeliveryExecutor().process(delivery).in_slot is in_slot


def test_the_first_answer_is_supports_earliest_message() -> None:
    messages = (
        Message(author="support", sent=AT + timedelta(hours=3), text="still there?"),
        Message(author="user", sent=AT, text="where is it?"),
        Message(author="support", sent=AT + timedelta(hours=1), text="on its way"),
    )
    ticket = SupportTicket(id="s", at=AT, user="ada", ticket=UUID(int=1), topic="delivery", messages=messages)
    assert SupportTicketExecutor().process(ticket, None).first_answer == timedelta(hours=1)
