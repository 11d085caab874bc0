"""Rows: what an executor reads and what it writes, as frozen structs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, dataclass_transform

import msgspec


class RowMeta(msgspec.StructMeta):
    """Makes every row class keyword-only, which msgspec does not inherit, so that fields may come in any order."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> RowMeta:
        """Create the class; `config` is msgspec's."""
        config.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **config)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Row(msgspec.Struct, metaclass=RowMeta, frozen=True, gc=False):
    """A frozen, keyword-only row: an enrichment's answer, or a struct nested in another row.

    Field types are those of the table in `trivium.types.rows`; anything else is a `ContractError`.
    """


class Event(Row):
    """One thing that happened. A subclass names its event type: `class Order(Event, tag="order")`.

    Declare only the fields that are used: undeclared fields of the input are skipped unread. An optional field is
    written `name: T | None = None`; a missing value takes the default, a missing required field rejects the input.
    """


class NormalizedEvent(Row):
    """One output row. `(event type, event_id)` identifies it; `event_time` is an aware datetime.

    A subclass adds the author's columns. Executors of one pipeline share one table, so a column name means one type.
    """

    event_id: str
    event_time: datetime
