"""Keys of enrichments: the fields or the method they come from and their types, checked when a class is defined."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from trivium.contract.enrichment import Enrichment
from trivium.contract.rows import Row, RowMeta
from trivium.core.errors import ContractError
from trivium.types.rows import row_fields
from trivium.types.spec import FieldSpec, TypeSpec

Fields = Mapping[str, FieldSpec]


@dataclass(frozen=True)
class KeyPart:
    """A field of the event, or of the row of another enrichment."""

    field: FieldSpec
    enrichment: str | None = None


@dataclass(frozen=True)
class Key:
    """The key of an enrichment: its `parts`, or the `method` that returns it, whose values are of `spec`.

    `many` says that an event has a list of keys. `type` is that of the keys a lookup gets: one value, or a struct of
    several. `as_of` is the event's field with the time at which the fact was valid.
    """

    parts: tuple[KeyPart, ...]
    type: pa.DataType
    many: bool = False
    method: str | None = None
    spec: TypeSpec | None = None
    as_of: FieldSpec | None = None

    @property
    def types(self) -> tuple[pa.DataType, ...]:
        """The types of the key's values."""
        return tuple(field.type for field in self.type) if pt.is_struct(self.type) else (self.type,)

    @property
    def sources(self) -> tuple[str, ...]:
        """The enrichments that have to be fetched before this one."""
        return tuple(dict.fromkeys(part.enrichment for part in self.parts if part.enrichment is not None))


def keys_of(
    executor: type,
    root: type,
    form: str,
    enrichments: Mapping[str, Enrichment],
    event_fields: tuple[FieldSpec, ...],
    enrichment_fields: Mapping[str, tuple[FieldSpec, ...]],
) -> dict[str, Key]:
    """Return the keys of an executor's enrichments, in an order in which they can be fetched.

    Raises:
        ContractError: a key that there is not, of a type that is none of a key's, or keys that need each other.
    """
    event = {spec.name: spec for spec in event_fields}
    rows = {name: {spec.name: spec for spec in fields} for name, fields in enrichment_fields.items()}
    reader = _KeyReader(executor, root, form, event, rows, enrichments)
    for name in enrichments:
        reader.key(name)
    return reader.keys


class _KeyReader:
    """Reads keys, those that others need first; `keys` are in that order."""

    def __init__(
        self,
        executor: type,
        root: type,
        form: str,
        event: Fields,
        rows: Mapping[str, Fields],
        enrichments: Mapping[str, Enrichment],
    ) -> None:
        self._executor, self._root, self._form, self._event, self._rows = executor, root, form, event, rows
        self._enrichments = enrichments
        self._open: list[str] = []
        self.keys: dict[str, Key] = {}

    def key(self, name: str) -> Key:
        if name not in self.keys:
            if name in self._open:
                circle = " needs ".join([*self._open[self._open.index(name) :], name])
                raise ContractError(f"no enrichment can be fetched first: {circle}", hint="key one by the event")
            self._open.append(name)
            key = self._read(name, self._enrichments[name])
            self._open.pop()
            self.keys[name] = key
        return self.keys[name]

    def _read(self, name: str, enrichment: Enrichment) -> Key:
        as_of = self._as_of(name, enrichment)
        if not enrichment.composite and self._is_method(enrichment.key):
            return self._of_method(name, enrichment, as_of)
        if enrichment.key_type is not None:
            message = f"enrichment {name} has a key_type, but {enrichment.key} has its type already"
            raise ContractError(message, hint="leave key_type out: it is for methods in column form")
        parts = tuple(self._part(name, field) for field in enrichment.fields)
        lists = [part for part in parts if part.enrichment is not None and self.keys[part.enrichment].many]
        if lists and enrichment.composite:
            message = f"enrichment {name} is keyed by {enrichment.key}, where {lists[0].enrichment} is a list of rows"
            raise ContractError(message, hint="a list of rows gives a key of one field")
        own = parts[0].field.type
        of_field = not lists and not enrichment.composite and own.item is not None and own.key is None
        specs: list[Any] = [own.item] if of_field else [part.field.type for part in parts]
        for field, spec in zip(enrichment.fields, specs, strict=True):
            _check_single(f"enrichment {name} is keyed by {field!r}", spec)
        return Key(parts, self._joined(enrichment, specs), of_field or bool(lists), as_of=as_of)

    def _joined(self, enrichment: Enrichment, specs: list[Any]) -> pa.DataType:
        if not enrichment.composite:
            return specs[0].arrow
        names = [field.rpartition(".")[2] for field in enrichment.fields]
        return pa.struct([pa.field(name, spec.arrow) for name, spec in zip(names, specs, strict=True)])

    def _is_method(self, key: str) -> bool:
        own = getattr(self._executor, key, None) if key.isidentifier() else None
        return key not in self._event and callable(own) and not hasattr(self._root, key)

    def _part(self, name: str, field: str) -> KeyPart:
        if field in self._event:
            return KeyPart(self._event[field])
        source, _, inner = field.partition(".")
        if not inner:
            message = f"enrichment {name} is keyed by {field!r}, which the event does not have"
            raise ContractError(message, hint=f"one of {', '.join(self._event)}, or a method of the executor")
        if source not in self._rows:
            message = f"enrichment {name} is keyed by {field!r}, but there is no enrichment {source}"
            raise ContractError(message, hint=f"one of {', '.join(self._rows)}")
        if inner not in self._rows[source]:
            message = f"enrichment {name} is keyed by {field!r}, which a row of {source} does not have"
            raise ContractError(message, hint=f"one of {', '.join(self._rows[source])}")
        self.key(source)
        return KeyPart(self._rows[source][inner], source)

    def _of_method(self, name: str, enrichment: Enrichment, as_of: FieldSpec | None) -> Key:
        where = f"enrichment {name} is keyed by the method {enrichment.key}"
        annotation = enrichment.key_type
        if self._form == "row" and annotation is not None:
            raise ContractError(f"{where}, whose annotation says its type", hint="leave key_type out")
        if self._form == "row":
            annotation = self._returned(where, enrichment.key)
        elif annotation is None:
            raise ContractError(f"{where} of a batch, whose type nothing says", hint="key_type=str")
        if _is_tuple_of_several(annotation):
            raise ContractError(f"{where}, which returns several values", hint="name the fields: key=(…)")
        made: Any = RowMeta("Key", (Row,), {"__annotations__": {"key": annotation}}, frozen=True)
        spec = row_fields(made)[0].type
        many = spec.item is not None and not spec.key
        single = spec.item if many else spec
        _check_single(where, single)
        assert single is not None
        return Key((), single.arrow, many, enrichment.key, spec, as_of)

    def _returned(self, where: str, method: str) -> Any:
        try:
            annotation = typing.get_type_hints(getattr(self._executor, method)).get("return")
        except NameError as error:
            raise ContractError(f"{where}, whose annotations cannot be read: {error}", hint="import it") from error
        if annotation is None:
            raise ContractError(f"{where}, which does not say what it returns", hint=f"def {method}(…) -> str | None")
        options = [each for each in typing.get_args(annotation) if each is not type(None)]
        return options[0] if len(options) == 1 and type(None) in typing.get_args(annotation) else annotation

    def _as_of(self, name: str, enrichment: Enrichment) -> FieldSpec | None:
        if enrichment.as_of is None:
            return None
        times = [spec.name for spec in self._event.values() if pt.is_timestamp(spec.type.arrow)]
        if enrichment.as_of not in times:
            message = f"enrichment {name} is as of {enrichment.as_of!r}, which is no time field of the event"
            raise ContractError(message, hint=f"one of {', '.join(times)}" if times else "a field of datetime")
        return self._event[enrichment.as_of]


def _is_tuple_of_several(annotation: Any) -> bool:
    arguments = typing.get_args(annotation)
    return typing.get_origin(annotation) is tuple and arguments[-1:] != (Ellipsis,)


def _check_single(where: str, spec: TypeSpec | None) -> None:
    if spec is None or spec.item is not None or spec.fields or spec.kind.noun:
        what = "list" if spec is None else spec.kind.noun or spec.arrow
        raise ContractError(f"{where}, a {what}; a key is one value, or a list of them", hint="a field of str, int, …")
