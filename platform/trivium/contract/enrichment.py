"""A fact an executor needs, declared on its class."""

from __future__ import annotations

import enum
from typing import Any, Final, Literal

from trivium.contract.rows import Row
from trivium.core.errors import ContractError

Missing = Literal["null", "drop", "reject"]
_MISSING: Final = ("null", "drop", "reject")


class Hint(enum.Flag):
    """A property of an enrichment that the engine may exploit. A hint changes cost, never a result.

    `CACHEABLE`: answers may be kept and shared between events, batches and requests. `ASYNC`: calls may run beside
    other calls and beside processing. `SLOW`: the wait is worth arranging for. `docs/enrichment.md` has a table of what
    each means in each runtime.
    """

    NONE = 0
    SLOW = enum.auto()
    ASYNC = enum.auto()
    CACHEABLE = enum.auto()


class Enrichment:
    """Rows of type `row`, found by a key of the event in the lookup named `lookup`.

    The attribute's name is the parameter under which `process` receives the row; it is also the lookup's name unless
    `lookup` says otherwise, so that two enrichments can share one lookup.

    `key` is a field of the event; several (`("origin", "hour")`); a list field, for which the parameter is a tuple of
    rows; a field of another enrichment (`"item.seller_id"`), which is fetched first; or a method of the executor from
    the event, or the batch in column form, to a key or None, which means that no fact is needed. A method's key has
    the type of its return annotation; in column form `key_type` says it.

    `missing` says what happens to an event whose key is null or unknown: `null` hands None to the executor, `drop`
    drops the event, `reject`, which is the default, rejects it. A `default` row is handed over instead.

    `as_of` names a time field of the event; the fact is the one that was valid then. Without it, it is the one the
    lookup has now.
    """

    def __init__(  # noqa: PLR0913 - a declaration, by keyword
        self,
        row: type[Row],
        *,
        key: str | tuple[str, ...],
        lookup: str | None = None,
        missing: Missing | None = None,
        default: Row | None = None,
        as_of: str | None = None,
        hints: Hint = Hint.NONE,
        key_type: Any = None,
    ) -> None:
        if not (isinstance(row, type) and issubclass(row, Row)):
            raise ContractError(f"Enrichment({row!r}) needs a row class", hint="class Plane(Row): …")
        if missing is not None and missing not in _MISSING:
            raise ContractError(
                f"expected missing to be one of {', '.join(_MISSING)}, got {missing!r}", hint='missing="null"'
            )
        if default is not None and missing is not None:
            message = f"an enrichment with a default row is never missing, got missing={missing!r}"
            raise ContractError(message, hint="keep one of default and missing")
        if default is not None and type(default) is not row:
            raise ContractError(
                f"expected default to be a {row.__name__}, got {default!r:.80}", hint=f"{row.__name__}(…)"
            )
        if not _is_key(key):
            message = f"expected key to be a field or a tuple of fields, got {key!r:.80}"
            raise ContractError(message, hint='key="tail_number", or key=("origin", "hour")')
        self.row, self.hints, self.default, self.as_of, self.key_type = row, hints, default, as_of, key_type
        self.missing: Missing = missing or "reject"
        self.fields: tuple[str, ...] = (key,) if isinstance(key, str) else tuple(key)
        self.composite = not isinstance(key, str)
        self.name = ""
        self.lookup = lookup or ""

    @property
    def key(self) -> str:
        """The key as it is shown: its fields, separated by commas."""
        return ", ".join(self.fields)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.lookup = self.lookup or name

    def __repr__(self) -> str:
        return f"Enrichment({self.row.__name__}, key={self.key!r}, lookup={self.lookup!r}, missing={self.missing!r})"


def _is_key(key: Any) -> bool:
    names = key if isinstance(key, tuple) else (key,)
    return bool(names) and all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names)
