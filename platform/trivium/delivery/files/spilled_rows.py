"""Rows that wait on the worker's own disk: of many partitions a few each, too many together for memory."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import BinaryIO

import pyarrow as pa

from trivium.delivery.errors import StorageError


class SpilledRows:
    """A file without a name, in the folder for temporary files: it goes with its process, however that ends.

    Raises:
        StorageError: any method, when that folder is full or refuses.
    """

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._places: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)

    def put(self, key: Hashable, tables: Sequence[pa.Table]) -> None:
        """Append rows to those of a key, in their order."""
        for schema, alike in groupby(tables, key=lambda table: table.schema):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, schema) as stream:
                stream.write_table(pa.concat_tables(alike).combine_chunks())
            content = sink.getvalue()
            with _translated("write"):
                if self._file is None:
                    self._file = tempfile.TemporaryFile(prefix="trivium-")  # noqa: SIM115 - closed with this object
                self._places[key].append((self._file.seek(0, os.SEEK_END), content.size))
                self._file.write(content)

    def take(self, key: Hashable) -> Iterator[pa.Table]:
        """Yield the rows of a key, in the order they were put, and forget them."""
        for place, size in self._places.pop(key, ()):
            assert self._file is not None
            with _translated("read"):
                self._file.seek(place)
                content = self._file.read(size)
            yield pa.ipc.open_stream(content).read_all()

    def close(self) -> None:
        """Forget all rows."""
        self._places.clear()
        if self._file is not None:
            with suppress(OSError):  # what could not be written is not wanted any more
                self._file.close()
            self._file = None


@contextmanager
def _translated(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"cannot {action} waiting rows in the temporary folder: {error.strerror or error}"
        advice = "give the worker's temporary folder (TMPDIR) more space, or make batch.unit_rows smaller"
        raise StorageError(f"{message}. Try: {advice}; nothing was committed") from error
