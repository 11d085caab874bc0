"""Answers of a service: rows, keys and columns found by JSON pointers, without a number ever becoming another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from trivium.config.model.remote_lookups import HttpLookupSettings
from trivium.connectors.remote.columns import FactMisfit, JsonRows
from trivium.core.error_text import decode_error
from trivium.types.rows import spec_of_arrow
from trivium.types.spec import FieldSpec

_Members: Any = msgspec.json.Decoder(dict[str, msgspec.Raw])
_Items: Any = msgspec.json.Decoder(list[msgspec.Raw])
_Any: Any = msgspec.json.Decoder()


class MalformedAnswer(ValueError):
    """A body that is not what the pointers say."""


class AnswerReader:
    """Reads bodies into rows and their keys, in order."""

    def __init__(self, settings: HttpLookupSettings, fields: Sequence[FieldSpec], key_type: pa.DataType) -> None:
        self._rows = _steps(settings.rows)
        types = [each.type for each in key_type] if pa.types.is_struct(key_type) else [key_type]
        names = [f"key {pointer}" for pointer in settings.key_pointers]
        keys = [
            FieldSpec(name, name, spec_of_arrow(each), nullable=False, required=True)
            for name, each in zip(names, types, strict=True)
        ]
        self._keys, self._facts = JsonRows(keys), JsonRows(fields)
        self._key_steps = {name: _steps(each) for name, each in zip(names, settings.key_pointers, strict=True)}
        wires = [spec.wire for spec in fields]
        self._columns = {
            name: _steps(settings.columns[name]) if name in settings.columns else (name,) for name in wires
        }

    def rows(self, body: bytes) -> list[bytes]:
        """Return the rows of an answer, each as JSON.

        Raises:
            MalformedAnswer: it is no JSON, or has no such list.
        """
        try:
            body.decode()
            _Any.decode(body)  # all of it is JSON, also what no pointer leads to
            found = _member(body, self._rows)
            if found is None:
                raise MalformedAnswer("it has no rows where the pointer `rows` leads")
            return [bytes(row) for row in _Items.decode(found)]
        except (UnicodeDecodeError, RecursionError) as error:
            raise MalformedAnswer(f"it is no JSON: {type(error).__name__}") from error
        except msgspec.MsgspecError as error:
            raise MalformedAnswer(decode_error(error)) from error

    def keys(self, rows: Sequence[bytes]) -> list[Any]:
        """Return the key of each row, several values as a tuple.

        Raises:
            FactMisfit: a row has none, or one of another type.
        """
        columns = self._keys.read([_object(at, row, self._key_steps) for at, row in enumerate(rows)]).columns
        values = [column.to_pylist() for column in columns]
        return values[0] if len(values) == 1 else list(zip(*values, strict=True))

    def facts(self, rows: Sequence[bytes]) -> pa.RecordBatch:
        """Return the declared columns of rows.

        Raises:
            FactMisfit: a row is none of the declared columns.
        """
        return self._facts.read([_object(at, row, self._columns) for at, row in enumerate(rows)])


def _object(at: int, row: bytes, members: Mapping[str, tuple[str, ...]]) -> bytes:
    """Return an object of what the pointers lead to in a row, left out where they lead nowhere."""
    try:
        found = {name: _member(row, steps) for name, steps in members.items()}
    except msgspec.MsgspecError as error:
        raise FactMisfit(at, decode_error(error)) from error
    written = (msgspec.json.encode(name) + b":" + value for name, value in found.items() if value is not None)
    return b"{" + b",".join(written) + b"}"


def _member(value: bytes, steps: tuple[str, ...]) -> bytes | None:
    for step in steps:
        if value[:1] == b"[":
            items = _Items.decode(value)
            inner = items[int(step)] if step.isdecimal() and int(step) < len(items) else None
        else:
            inner = _Members.decode(value).get(step)
        if inner is None:
            return None
        value = bytes(inner)
    return value


def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
