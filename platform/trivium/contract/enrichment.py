"""A fact an executor needs, declared on its class."""

from __future__ import annotations

import enum
from typing import Final, Literal

from trivium.contract.rows import Row
from trivium.core.errors import ContractError

Missing = Literal["null", "drop", "reject"]
_MISSING: Final = ("null", "drop", "reject")


class Hint(enum.Flag):
    """A property of an enrichment that the engine may exploit. A hint changes cost, never a result."""

    NONE = 0
    SLOW = enum.auto()
    ASYNC = enum.auto()
    CACHEABLE = enum.auto()


class Enrichment:
    """Rows of type `row`, found by the event's field `key` in the lookup named `lookup`.

    The attribute's name is the parameter under which `process` receives the row; it is also the lookup's name unless
    `lookup` says otherwise, so that two enrichments can share one lookup. `missing` says what happens to an event
    whose key is null or unknown: `null` hands None to the executor, `drop` drops the event, `reject` rejects it.
    """

    def __init__(
        self,
        row: type[Row],
        *,
        key: str,
        lookup: str | None = None,
        missing: Missing = "reject",
        hints: Hint = Hint.NONE,
    ) -> None:
        if not (isinstance(row, type) and issubclass(row, Row)):
            raise ContractError(f"Enrichment({row!r}) needs a row class", hint="class Plane(Row): …")
        if missing not in _MISSING:
            raise ContractError(
                f"expected missing to be one of {', '.join(_MISSING)}, got {missing!r}", hint='missing="null"'
            )
        self.row, self.key, self.missing, self.hints = row, key, missing, hints
        self.name = ""
        self.lookup = lookup or ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.lookup = self.lookup or name

    def __repr__(self) -> str:
        return f"Enrichment({self.row.__name__}, key={self.key!r}, lookup={self.lookup!r}, missing={self.missing!r})"
