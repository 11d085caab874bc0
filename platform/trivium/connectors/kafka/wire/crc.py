"""Tables of CRC-32C (Castagnoli) for eight bytes at a step ("slicing by 8", Kounavis and Berry 2005)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_POLYNOMIAL: Final = 0x82F63B78  # reflected


def _tables() -> npt.NDArray[np.uint32]:
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(_POLYNOMIAL), values >> 1).astype(np.uint32)
    tables = [values]
    for _ in range(7):
        tables.append((tables[-1] >> 8) ^ values[tables[-1] & 0xFF])
    return np.stack(tables)


TABLES: Final = _tables()
