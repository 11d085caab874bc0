"""Deliveries: a parcel at somebody's door."""

from datetime import time
from typing import Annotated

from msgspec import Meta

from executors.shop_event import Name, ShopEvent, ShopRow
from trivium import Executor, Int8, RejectError, Row


class Slot(Row):
    """The hours that were agreed, on the day of the delivery and by the clock at the door."""

    begins: time
    ends: time


class Delivery(ShopEvent, tag="delivery"):
    """A parcel was handed over, or not. `local_time` is what the clock at the door said."""

    tracking: Name
    attempt: Annotated[Int8, Meta(ge=1)] = 1
    handed_over: bool
    local_time: time
    slot: Slot | None = None
    left_with: str | None = None
    signature: bytes | None = None


class DeliveryRow(ShopRow):
    """A parcel that arrived; `in_slot` is null where no hours were agreed."""

    tracking: str
    attempt: Int8
    in_slot: bool | None = None
    left_with: str | None = None
    signature: bytes | None = None


class DeliveryExecutor(Executor[Delivery, DeliveryRow]):
    """A parcel that arrived. Vain attempts are dropped; hours that end before they begin are a reject."""

    def accepts(self, event: Delivery) -> bool:
        """Return whether the parcel was handed over."""
        return event.handed_over

    def process(self, event: Delivery) -> DeliveryRow:
        """Return one row for a delivery."""
        slot = event.slot
        if slot and slot.ends < slot.begins:
            raise RejectError(f"the slot ends at {slot.ends}, before it begins at {slot.begins}")
        return DeliveryRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            tracking=event.tracking,
            attempt=event.attempt,
            in_slot=slot.begins <= event.local_time <= slot.ends if slot else None,
            left_with=event.left_with,
            signature=event.signature,
        )
