"""Names of the columns in which rows of a lookup have their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trivium.config.worker_spec import LookupSpec
from trivium.contract.declaration import Declaration
from trivium.contract.keys import Key
from trivium.notebook.errors import InputError


@dataclass(frozen=True)
class NamedKey:
    """The key of one enrichment: for each of its values the names that its column may have."""

    parts: tuple[tuple[str, ...], ...]

    @property
    def text(self) -> str:
        """The names, for a message."""
        parts = [" or ".join(names) for names in self.parts]
        return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"

    def columns(self, names: Sequence[str]) -> tuple[str, ...] | None:
        """Return the columns among `names` that hold the key; None where one is missing or is not the only one."""
        found = [[name for name in part if name in names] for part in self.parts]
        return tuple(part[0] for part in found) if all(len(part) == 1 for part in found) else None


def named_keys(bound: LookupSpec, declaration: Declaration) -> list[NamedKey]:
    """Return the keys of the enrichments that use a lookup, each once."""
    found = [
        _named(declaration.keys[name])
        for name, enrichment in declaration.enrichments.items()
        if enrichment.lookup == bound.name
    ]
    return list(dict.fromkeys(found))


def key_columns(
    bound: LookupSpec, declaration: Declaration, names: list[str], wanted: Sequence[str] | None
) -> list[str]:
    """Return the columns of the key, those that are `wanted`, or by the names of what enrichments are keyed by.

    Raises:
        InputError: they are not there, or it is not clear which they are.
    """
    keys = named_keys(bound, declaration)
    if wanted is not None:
        keys = [NamedKey(tuple((name,) for name in wanted))]
        count = len(named_keys(bound, declaration)[0].parts)
        if len(wanted) != count:
            message = (
                f"lookup {bound.name}: expected the names of {count} key columns, got {', '.join(wanted) or 'none'}"
            )
            raise InputError(f"{message}. Try: one for each field of the key, in their order")
    found = {columns for key in keys if (columns := key.columns(names)) is not None}
    if len(found) == 1:
        return list(found.pop())
    several = len(keys[0].parts) > 1
    hint = '("COLUMN", "COLUMN")' if several else '"NAME OF THE KEY COLUMN"'
    raise InputError(
        f"lookup {bound.name}: expected the key in {'columns' if several else 'a column'} "
        f"{' or '.join(key.text for key in keys)}, but it has {', '.join(names) or 'no columns'}. "
        f'Try: lookups={{"{bound.name}": (table, {hint})}}'
    )


def _named(key: Key) -> NamedKey:
    if key.method is not None:
        return NamedKey(((key.method,),))
    return NamedKey(tuple(tuple(dict.fromkeys((part.field.name, part.field.wire))) for part in key.parts))
