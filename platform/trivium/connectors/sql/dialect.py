"""Ways in which databases differ: how they are opened, how keys are bound, what their columns and errors mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from trivium.config.model.remote_lookups import SqlLookupSettings
from trivium.types.spec import FieldSpec

PLACE: Final = "trivium_place"
"""The column of an answer that says which key, counted from 1, a row belongs to."""


class Dialect(ABC):
    """One database as a section names it."""

    def __init__(self, settings: SqlLookupSettings) -> None:
        self.settings = settings

    @property
    def relation(self) -> str:
        """The rows of the section in SQL, without an alias."""
        settings = self.settings
        rows = f"({settings.query})" if settings.query is not None else _dotted(settings.table or "")
        return rows if settings.where is None else f"(SELECT * FROM {rows} AS r WHERE {settings.where})"

    @abstractmethod
    def connect(self, seconds: float) -> Any:
        """Return a connection that only reads."""

    @abstractmethod
    def hold_to(self, seconds: float) -> str:
        """Return the statement after which no other lasts longer than these seconds."""

    @abstractmethod
    def statement(self, columns: Sequence[str], key_type: pa.DataType, *, timed: bool) -> str:
        """Return the query of these columns of the rows of keys, or of those valid at the times of the keys."""

    @abstractmethod
    def parameters(self, keys: pa.Array, times: pa.TimestampArray | None) -> pa.RecordBatch:
        """Return what the query binds."""

    @abstractmethod
    def column(self, column: pa.Array, spec: FieldSpec) -> pa.Array:
        """Return a column of the database in an Arrow type from which the declared one is read.

        Raises:
            FactMisfit: a value is none of the declared type.
        """

    @abstractmethod
    def key_problem(self, held: pa.DataType, key: pa.DataType) -> str | None:
        """Return why a key column of a type can never equal keys of a type, None where it can."""

    @abstractmethod
    def passes(self, error: Exception) -> bool:
        """Tell whether an error may be gone at the next call."""

    def times_problem(self, cursor: Any) -> str | None:
        """Return why the columns of validity cannot be compared with times, None where they can."""
        return None

    def keys_equal(self, names: Sequence[str]) -> str:
        """Return the condition that a row `t` has the key `q`."""
        return " AND ".join(
            f"t.{quoted(own)} = q.{name}" for own, name in zip(self.settings.columns, names, strict=True)
        )

    def validity(self, time: str) -> str:
        """Return the condition that a row `t` is valid at a time: from its begin, and before its end."""
        begin, end = self.settings.valid_from or "", self.settings.valid_to
        condition = f"t.{quoted(begin)} <= {time}"
        return condition if end is None else f"{condition} AND (t.{quoted(end)} IS NULL OR t.{quoted(end)} > {time})"


def quoted(name: str) -> str:
    """Return the name of a column in SQL."""
    return '"' + name.replace('"', '""') + '"'


def fields_of(keys: pa.Array) -> list[pa.Array]:
    """Return the columns of keys, one a field."""
    return keys.flatten() if pa.types.is_struct(keys.type) else [keys]


def types_of(key_type: pa.DataType) -> list[pa.DataType]:
    """Return the types of a key's fields."""
    return [each.type for each in key_type] if pa.types.is_struct(key_type) else [key_type]


def _dotted(table: str) -> str:
    return ".".join(quoted(part) for part in table.split("."))
