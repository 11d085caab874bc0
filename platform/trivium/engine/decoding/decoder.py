"""The one decoder of JSON records, whichever way their event type is named, with the answers docs/contract.md lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trivium.contract.declaration import Declaration
from trivium.engine.decoding.decoded import DeclaredType, Decoded
from trivium.engine.decoding.named import NamedRecords
from trivium.engine.decoding.tagged import TaggedRecords


class Decoder:
    """Decodes records of the declared event types; all ways share each type's rules.

    `tag_field` is the field of a record that names its type, None where nothing inside of it does.
    """

    def __init__(self, declarations: Mapping[str, Declaration], tag_field: str | None) -> None:
        self.types = {name: DeclaredType(declaration) for name, declaration in declarations.items()}
        self.tagged = None if tag_field is None else TaggedRecords(self.types, tag_field)
        self._named = NamedRecords(self.types)

    def decode(self, values: Sequence[bytes | None], types: Sequence[str | None] | None = None) -> Decoded:
        """Decode every record; each ends in exactly one place of the answer.

        `types` names the event type of each record; None where a field of theirs does.

        Raises:
            ValueError: there are not as many types as records, or nothing names the types.
        """
        if types is not None:
            return self._named.decode(values, types)
        if self.tagged is None:
            raise ValueError("expected the event type of each record beside it: no field of theirs names it; got none")
        return self.tagged.decode(values)
