"""The events a person hands over, in whichever form, as batches for the worker.

Plain values and JSON text go through the JSON decoder; tables go through the typed door. Events without an event type
get the executor's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from trivium.contract.declaration import Declaration
from trivium.contract.rows import Event
from trivium.engine.batch import Batch, RawBatch, TypedBatch
from trivium.engine.decoding.typed_columns import schema_problems
from trivium.engine.original import original
from trivium.engine.outcomes import Reject
from trivium.notebook.errors import InputError, listed
from trivium.notebook.json_text import TAG_FIELD, tagged, tagged_line
from trivium.notebook.remarks import in_words
from trivium.notebook.tables import arrow_table, is_column, is_table, library_of

SOURCE: Final = "notebook"
_FORMS: Final = "a list of dicts, JSON lines (str or bytes), or a table of Arrow, pandas or Polars"


class Data(Protocol):
    """Events in the order they were handed over."""

    def __len__(self) -> int:
        """Return the number of events."""

    def batches(self, rows: int) -> Iterator[Batch]:
        """Yield all events, at most `rows` at a time."""

    def text(self, index: int) -> str:
        """Return one event as JSON, for people."""

    def explained(self, reject: Reject) -> Reject:
        """Return a reject in words of what was handed over."""


@dataclass(frozen=True)
class JsonData:
    """JSON records. None is a record without a value. `dicts` are those that were handed over as such, by index."""

    values: list[bytes | None]
    dicts: Mapping[int, Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.values)

    def batches(self, rows: int) -> Iterator[Batch]:
        """Yield all events, at most `rows` at a time."""
        for start in range(0, len(self), rows):
            part = self.values[start : start + rows]
            yield RawBatch(part, SOURCE, np.arange(start, start + len(part), dtype=np.int64))

    def text(self, index: int) -> str:
        """Return one event as JSON; bytes that are no UTF-8 are replaced."""
        value = self.values[index]
        return "null" if value is None else value.decode("utf-8", "replace")

    def explained(self, reject: Reject) -> Reject:
        """Return a reject whose text speaks of the value in the dict, where a dict was handed over."""
        given = self.dicts.get(reject.index)
        if given is None or reject.stage != "decode":
            return reject
        return replace(reject, error=in_words(given, reject.error))


@dataclass(frozen=True)
class TableData:
    """Typed columns; `timezone` says what naive timestamps mean."""

    table: pa.Table
    timezone: str | None

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def batches(self, rows: int) -> Iterator[Batch]:
        """Yield all events, at most `rows` at a time."""
        start = 0
        for part in self.table.to_batches(max_chunksize=rows):
            yield TypedBatch(part, SOURCE, np.arange(start, start + part.num_rows, dtype=np.int64), self.timezone)
            start += part.num_rows

    def text(self, index: int) -> str:
        """Return one event as JSON."""
        part = self.table.slice(index, 1).combine_chunks().to_batches()[0]
        return original(part, 0).decode("utf-8", "replace")

    def explained(self, reject: Reject) -> Reject:
        """Return the reject: it speaks of columns already."""
        return reject


def read(data: Any, declaration: Declaration, timezone: str | None) -> Data:
    """Return the events of one executor from what a person handed over.

    Raises:
        InputError: another form than the known ones, columns that cannot be read as the event, or a value JSON has no
            word for. A wrong event is no error here: it is a reject.
    """
    if is_table(data):
        return _typed(data, declaration, timezone)
    if timezone is not None:
        raise InputError(
            "timezone= says what naive timestamps of a table's columns mean; in JSON a time without its offset is a "
            "reject. Try: leave timezone out, and write times like 2024-01-01T08:00:00-05:00"
        )
    values: list[bytes | None] = []
    dicts: dict[int, Mapping[str, Any]] = {}
    for index, value in enumerate(_records(data)):
        values.append(_record(value, declaration.event_type))
        if isinstance(value, Mapping):
            dicts[index] = value
    return JsonData(values, dicts)


def _typed(data: Any, declaration: Declaration, timezone: str | None) -> TableData:
    table = arrow_table(data)
    if TAG_FIELD not in table.schema.names:
        tags = pa.repeat(pa.scalar(declaration.event_type), table.num_rows)
        table = table.append_column(TAG_FIELD, tags)
    _check_zone(timezone)
    problems = schema_problems(table.schema, {declaration.event_type: declaration}, TAG_FIELD, timezone)
    if problems:
        heading = f"these columns cannot be read as {declaration.event.__name__} ({library_of(data)} table)"
        raise listed(heading, problems, _advice(data, table.schema))
    return TableData(table, timezone)


def _check_zone(timezone: str | None) -> None:
    if timezone is None:
        return
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(
            f"timezone={timezone!r} is no time zone of the IANA database, such as Europe/Zurich"
        ) from error


def _advice(data: Any, schema: pa.Schema) -> str:
    advice = ["rename or cast those columns, or change the event's fields"]
    if library_of(data) == "pandas" and any(pt.is_floating(column.type) for column in schema):
        advice.append(
            'pandas turns whole numbers with gaps into floats: data["column"].astype("Int64") keeps them whole'
        )
    if any(pt.is_timestamp(column.type) and column.type.tz is None for column in schema):
        advice.append('here the time zone is an argument: trivium.run(…, timezone="America/New_York")')
    return "; ".join(advice)


def _records(data: Any) -> Iterable[Any]:
    if isinstance(data, bytes | bytearray | str):
        return _lines(bytes(data) if isinstance(data, bytearray) else data)
    if isinstance(data, Mapping):
        raise InputError("expected events, got one dict. Try: a list of dicts, [event]; or a table for columns")
    if is_column(data) or isinstance(data, Path | type) or not isinstance(data, Iterable):
        kind = f"{library_of(data)}'s {type(data).__name__}" if is_column(data) else type(data).__name__
        raise InputError(f"expected {_FORMS}, got {'None' if data is None else kind}. Try: {_how_to_hand_over(data)}")
    return data


def _how_to_hand_over(data: Any) -> str:
    if is_column(data):
        return "a table, whose columns have the names of the event's fields; or a list of dicts, data.to_list()"
    if library_of(data) == "polars":
        return "data.collect()"
    if isinstance(data, Path):
        return "read the file first: pyarrow.parquet.read_table(path), or path.read_bytes() for JSON lines"
    return "a list of dicts, [event, …]; an empty list for no events"


def _lines(data: bytes | str) -> list[bytes | str]:
    text = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    if text.strip() and not text.lstrip().startswith(b"{"):
        raise InputError(
            f"expected JSON lines, each starting with {{, got {text[:40]!r}. Try: json.loads(…) for a JSON array; "
            "for a file, read it first: pathlib.Path(…).read_bytes()"
        )
    return [line for line in text.split(b"\n") if line.strip()]


def _record(value: Any, event_type: str) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return tagged(value, event_type)
    if isinstance(value, bytes | str):
        return tagged_line(value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass"), event_type)
    advice = "dicts whose keys are the event's fields, or a table whose columns are"
    if isinstance(value, Event):
        advice = "dicts, such as msgspec.to_builtins(event)"
    message = f"expected {_FORMS}; got a {type(value).__name__} among the events: {value!r:.80}"
    raise InputError(f"{message}. Try: {advice}")
