"""Partition values as Delta's log holds them: text, or null. What would not come back as it went is refused.

Delta writes empty text as null. deltalake reads bytes back as Python shows them and negative decimals not at all, and
finds no NaN; times have several forms, and engines differ in which they take. So a partition column holds text, whole
numbers, booleans or dates, and no empty text. The first column also names folders, which asks for more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.types as pt

from trivium.delivery.errors import SchemaConflict

NULL_FOLDER: Final = "__HIVE_DEFAULT_PARTITION__"
"""The folder of null, as every engine names it."""

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_FOLDER: Final = 200  # of a path's part; storages end at 255 bytes
_KINDS: Final = (pt.is_string, pt.is_integer, pt.is_boolean, pt.is_date32)
_SHOWN: Final = 40


def check_partition_types(schema: pa.Schema, partition_by: Sequence[str]) -> None:
    """Prove that every partition column is of a type whose values come back as they went.

    Raises:
        SchemaConflict: one is not; names it and its type.
    """
    for name in partition_by:
        kind = schema.field(name).type
        kind = kind.value_type if pt.is_dictionary(kind) else kind
        if not any(matches(kind) for matches in _KINDS):
            message = f"partition column {name}: expected text, whole numbers, booleans or dates, got {kind}"
            raise SchemaConflict(f"{message}, whose values readers do not get back. Try: another column")


def partition_text(name: str, value: pa.Scalar) -> str | None:
    """Return a value of a partition column as the log holds it.

    Raises:
        SchemaConflict: it is empty text.
    """
    if not value.is_valid:
        return None
    text = str(value.as_py()).lower() if pt.is_boolean(value.type) else str(value.as_py())
    if not text:
        message = f"partition column {name}: expected text or null, got empty text, which Delta reads back as null"
        raise SchemaConflict(f"{message}. Try: null, or partition by another column")
    return text


def folder_name(name: str, value: str | None) -> str:
    """Return the folder of a partition: `column=value`.

    Raises:
        SchemaConflict: the value is no name for a folder, or the column begins with `_`, which clean-up would skip.
    """
    folder = f"{name}={NULL_FOLDER if value is None else value}"
    named = value is None or _SAFE.fullmatch(value) is not None
    if name.startswith("_") or not named or len(folder) > _LONGEST_FOLDER:
        got = f"{name}={value!r}" if value is None or len(value) <= _SHOWN else f"{name}={value[:_SHOWN]!r}…"
        expected = f"a name for a folder (letters, digits and . _ - within {_LONGEST_FOLDER} characters)"
        raise SchemaConflict(f"expected {expected}, got {got}. Try: partition by event_date first")
    return folder
