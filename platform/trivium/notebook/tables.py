"""Arrow, pandas and Polars tables as one Arrow table."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from trivium.notebook.errors import InputError


def is_table(value: Any) -> bool:
    """Return whether a value is a table of any library: Arrow's C stream is their common language."""
    return not is_column(value) and (hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__"))


def is_column(value: Any) -> bool:
    """Return whether a value is one column without a name of its fields: a Series or an array."""
    return isinstance(value, pa.Array | pa.ChunkedArray) or type(value).__name__ == "Series"


def arrow_table(value: Any) -> pa.Table:
    """Return a table of any library as an Arrow table; an index of pandas is left out.

    Raises:
        InputError: a column holds values of several types, or two columns share a name.
    """
    try:
        table = _arrow_table(value)
    except (pa.ArrowException, TypeError, ValueError) as error:
        library = library_of(value)
        raise InputError(
            f"this {library} table cannot be read as Arrow columns: {error}. "
            "Try: give every column one type and a name of its own"
        ) from error
    twice = [name for name, count in Counter(table.schema.names).items() if count > 1]
    if twice:
        raise InputError(f"expected columns with different names, got {', '.join(twice)} more than once")
    return table


def library_of(value: Any) -> str:
    """Return the library a value comes from."""
    return type(value).__module__.partition(".")[0]


def _arrow_table(value: Any) -> pa.Table:
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value])
    if library_of(value) == "pandas":
        return pa.Table.from_pandas(value, preserve_index=False)
    if library_of(value) == "polars":
        return value.to_arrow()  # Through the C stream its strings come as views, which fewer of Arrow's kernels take.
    return pa.table(value)
