"""Numbers of record batches, message format 2 (https://kafka.apache.org/documentation/#recordbatch)."""

from __future__ import annotations

from typing import Final

HEADER_BYTES: Final = 61
OVERHEAD_BYTES: Final = 12
"""Base offset and length, which the length does not count."""
CRC_COVERS_FROM: Final = 21
LEAST_RECORD_BYTES: Final = 7

CODEC: Final = 0x07
APPEND_TIME: Final = 0x08
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20
"""Bits of a batch's attributes."""

NO_APPEND_TIME: Final = -(1 << 63)
"""In place of the broker's time where each record has its producer's."""
