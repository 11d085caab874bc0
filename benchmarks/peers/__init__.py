"""Other ways to do query 14's work on this machine.

A contender is a context manager: it starts up, hands back a function that reads the bids of one folder and writes the
rows to another, and shuts down. All write Parquet with zstd, level 1, as Trivium's tables do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

Run = Callable[[Path, Path], None]

WORKERS: Final = 2
