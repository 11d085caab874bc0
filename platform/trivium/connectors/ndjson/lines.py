"""Lines of a text file, plain or compressed, in steps of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from trivium.connectors.archive.units import RowGroup
from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage

_CODECS: Final = {".gz": "gzip", ".zst": "zstd"}
_CHUNK_BYTES: Final = 1 << 20
_GROUP_LINES: Final = 65_536
LINE_BYTES: Final = 64 << 20
"""The longest line that is read: a file without line breaks, or a bomb, must not fill the memory."""


@dataclass(frozen=True)
class TextFile:
    """One file of lines; its suffix names its compression."""

    storage: Storage
    path: str

    def groups(self, day: str | None) -> tuple[RowGroup, ...]:
        """Count the lines: a plain file in groups of some 65,536 lines that can be read alone, others as one group.

        Raises:
            SourceError: the file is torn or damaged, or a line is too long.
        """
        groups: list[RowGroup] = []
        place = begins = lines = total = open_bytes = 0
        for chunk in self._chunks(0):
            breaks, last = chunk.count(b"\n"), chunk.rfind(b"\n")
            self._check_length(open_bytes + (len(chunk) if not breaks else chunk.find(b"\n")), total)
            open_bytes = len(chunk) - 1 - last if breaks else open_bytes + len(chunk)
            lines, total = lines + breaks, total + breaks
            place += len(chunk)
            if lines >= _GROUP_LINES and self._codec is None:
                groups.append(RowGroup(lines, day, (total - lines, begins)))
                begins, lines = place - open_bytes, 0
        if open_bytes:
            lines, total = lines + 1, total + 1
        return (*groups, RowGroup(lines, day, (total - lines, begins)))

    def read(self, span: range, mark: tuple[int, int]) -> Iterator[tuple[int, list[bytes | None]]]:
        """Read the lines of `span`, each step with the number of its first; a blank line is None.

        `mark` is a line at or before the span, and the byte of the file where it begins.

        Raises:
            SourceError: the file is torn or damaged, or a line is too long.
        """
        number, begins = mark
        pending: list[bytes] = []
        for chunk in self._chunks(begins):
            first, *more = chunk.split(b"\n")
            pending.append(first)
            self._check_length(sum(map(len, pending)), number)
            if more:
                lines = [b"".join(pending), *more[:-1]]
                yield from _within(span, number, lines)
                number += len(lines)
                pending = [more[-1]]
            if number >= span.stop:
                return
        if last := b"".join(pending):
            yield from _within(span, number, [last])

    @property
    def _codec(self) -> str | None:
        return next((codec for suffix, codec in _CODECS.items() if self.path.lower().endswith(suffix)), None)

    def _chunks(self, begins: int) -> Iterator[bytes]:
        try:
            with self.storage.open(self.path) as file:
                if begins:
                    file.seek(begins)
                stream = file if self._codec is None else pa.CompressedInputStream(file, self._codec)
                while chunk := stream.read(_CHUNK_BYTES):
                    yield chunk
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"{self.storage.uri}/{self.path}: expected a whole {self._codec or 'text'} file, got: {error}. "
                "Try: restore the file (or move it away) and run again; finished units are kept"
            ) from error

    def _check_length(self, length: int, line: int) -> None:
        if length > LINE_BYTES:
            raise SourceError(
                f"{self.storage.uri}/{self.path}, line {line + 1}: expected at most {LINE_BYTES:,} bytes in a line, "
                "got more. Try: one JSON document a line, with a line break after each"
            )


def _within(span: range, number: int, lines: list[bytes]) -> Iterator[tuple[int, list[bytes | None]]]:
    low, high = max(span.start, number), min(span.stop, number + len(lines))
    if low < high:
        yield low, [None if not line or line.isspace() else line for line in lines[low - number : high - number]]
