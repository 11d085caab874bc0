"""Rows: what an executor reads and what it writes, as frozen structs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, dataclass_transform

import msgspec

from trivium.core.errors import ContractError


class RowMeta(msgspec.StructMeta):
    """Makes every row class keyword-only, which msgspec does not inherit, so that fields may come in any order.

    `__event_types__` are the `tags` of an event class; a class with a `tag` has none, though its parent may.
    """

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], tags: Sequence[str] = (), **config: Any
    ) -> RowMeta:
        """Create the class; `config` is msgspec's.

        Raises:
            ContractError: `tags` are no event types, or stand beside a `tag`.
        """
        if tags:
            _check_tags(name, tags, config)
        if tags or config.get("tag"):
            namespace["__event_types__"] = tuple(tags)
        config.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **config)


def _check_tags(name: str, tags: Sequence[str], config: dict[str, Any]) -> None:
    if config.get("tag"):
        raise ContractError(f"the event class {name} has a tag beside its tags", hint="keep one of them")
    if isinstance(tags, str) or not all(isinstance(tag, str) and tag for tag in tags):
        message = f"expected tags of the event class {name} as a tuple of event types, got {tags!r:.80}"
        raise ContractError(message, hint=f'class {name}(Event, tags=("click", "view"))')
    if len(set(tags)) < len(tags):
        raise ContractError(f"a tag of the event class {name} is given twice: {', '.join(tags)}", hint="remove one")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Row(msgspec.Struct, metaclass=RowMeta, frozen=True, gc=False):
    """A frozen, keyword-only row: an enrichment's answer, or a struct nested in another row.

    Field types are those of the table in `trivium.types.rows`; anything else is a `ContractError`.
    """


class Event(Row):
    """One thing that happened. A subclass names its event type: `class Order(Event, tag="order")`.

    Event types of one shape share a class: `class Visit(Event, tags=("click", "view"))`.

    Declare only the fields that are used: undeclared fields of the input are skipped unread. An optional field is
    written `name: T | None = None`; a missing value takes the default, a missing required field rejects the input.
    """


class NormalizedEvent(Row):
    """One output row. `(event type, event_id)` identifies it; `event_time` is an aware datetime.

    A subclass adds the author's columns. Executors of one pipeline share one table, so a column name means one type.
    """

    event_id: str
    event_time: datetime
