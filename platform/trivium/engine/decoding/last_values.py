"""JSON objects in which a field stands more than once: the last value counts, though an earlier one may be wrong.

The decoder looks at values as they come and stops at the first wrong one. So a record that it refused is looked at once
more with each declared field there once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from trivium.types.spec import FieldSpec, TypeSpec

_Rewrite = Callable[[bytes], bytes]


class LastValues:
    """Rewrites a JSON object so that it has each of some fields once, and nothing else.

    It reads the text once for each level of declared rows, however many fields and repetitions there are.
    """

    def __init__(self, fields: Sequence[FieldSpec]) -> None:
        given: Any = [(spec.name, msgspec.Raw, msgspec.UNSET) for spec in fields]
        rename = {spec.name: spec.wire for spec in fields}
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Fields", given, rename=rename)).decode
        self._inner = {spec.name: inner for spec in fields if (inner := _rewrite(spec.type)) is not None}

    def __call__(self, value: bytes) -> bytes:
        """Return the object anew.

        Raises:
            msgspec.MsgspecError, UnicodeDecodeError: it is none.
        """
        found = self._decode(value)
        for name, inner in self._inner.items():
            raw = getattr(found, name)
            if raw is not msgspec.UNSET:
                setattr(found, name, msgspec.Raw(inner(bytes(raw))))
        return msgspec.json.encode(found)


def _rewrite(spec: TypeSpec) -> _Rewrite | None:
    if spec.fields:
        objects = LastValues(spec.fields)
        return lambda value: objects(value) if value[:1] == b"{" else value
    inner = _rewrite(spec.item) if spec.item is not None else None
    if spec.key is not None:
        return _map_of(inner or bytes)
    return None if inner is None else _list_of(inner)


def _map_of(inner: _Rewrite) -> _Rewrite:
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def rewrite(value: bytes) -> bytes:
        if value[:1] != b"{":
            return value
        return msgspec.json.encode({key: msgspec.Raw(inner(bytes(each))) for key, each in decode(value).items()})

    return rewrite


def _list_of(inner: _Rewrite) -> _Rewrite:
    decode = msgspec.json.Decoder(list[msgspec.Raw]).decode

    def rewrite(value: bytes) -> bytes:
        if value[:1] != b"[":
            return value
        return b"[" + b",".join(inner(bytes(item)) for item in decode(value)) + b"]"

    return rewrite
