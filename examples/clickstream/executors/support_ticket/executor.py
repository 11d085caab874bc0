"""Tickets of the customers' support, with their messages."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from executors.shop_event import ShopEvent, ShopRow
from executors.user import User
from trivium import Enrichment, Executor, Hint, Int32, RawJson, Row


class Message(Row):
    """A message of a ticket."""

    author: Literal["user", "support"]
    sent: datetime
    text: str


class SupportTicket(ShopEvent, tag="support_ticket"):
    """A ticket when it was closed; `context` is whatever the application attached."""

    ticket: UUID
    topic: Literal["delivery", "payment", "product", "other"]
    messages: Annotated[tuple[Message, ...], Meta(max_length=200)]
    context: RawJson | None = None


class SupportTicketRow(ShopRow):
    """A ticket that a user wrote in; `first_answer` is the time from the first message to support's first."""

    ticket: UUID
    topic: str
    tier: str | None = None
    messages: Int32
    first_answer: timedelta | None = None
    context: RawJson | None = None


class SupportTicketExecutor(Executor[SupportTicket, SupportTicketRow]):
    """A closed ticket. One in which the user wrote nothing is dropped."""

    account = Enrichment(User, key="user", missing="null", hints=Hint.CACHEABLE)

    def accepts(self, event: SupportTicket) -> bool:
        """Return whether the user wrote anything."""
        return any(message.author == "user" for message in event.messages)

    def process(self, event: SupportTicket, account: User | None) -> SupportTicketRow:
        """Return one row for a ticket."""
        answers = [message.sent for message in event.messages if message.author == "support"]
        first = min(message.sent for message in event.messages)
        return SupportTicketRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            country=account.country if account else None,
            ticket=event.ticket,
            topic=event.topic,
            tier=account.tier if account else None,
            messages=len(event.messages),
            first_answer=min(answers) - first if answers else None,
            context=event.context,
        )
