"""Shipments: parcels that left the warehouse."""

from datetime import date
from typing import Annotated

from msgspec import Meta

from executors.shop_event import Name, ShopEvent, ShopRow
from trivium import Executor, Float32, Int32, Row


class Parcel(Row):
    """One parcel, its weight and the lengths of its sides in centimetres, where they were measured."""

    tracking: Name
    grams: Annotated[Int32, Meta(ge=1)]
    sides: tuple[Float32, ...] | None = None


class Shipment(ShopEvent, tag="shipment"):
    """Parcels of an order that a carrier took, and the day it promised to deliver them."""

    order: Name
    carrier: Name
    parcels: Annotated[tuple[Parcel, ...], Meta(max_length=50)]
    promised: date | None = None


class ShipmentRow(ShopRow):
    """A shipment with its parcels and what they weigh together."""

    order: str
    carrier: str
    parcels: tuple[Parcel, ...]
    kilograms: float
    promised: date | None = None


class ShipmentExecutor(Executor[Shipment, ShipmentRow]):
    """A shipment with its weight. One without parcels is dropped."""

    def process(self, event: Shipment) -> ShipmentRow | None:
        """Return one row for a shipment of something."""
        if not event.parcels:
            return None
        return ShipmentRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            order=event.order,
            carrier=event.carrier,
            parcels=event.parcels,
            kilograms=sum(parcel.grams for parcel in event.parcels) / 1_000,
            promised=event.promised,
        )
