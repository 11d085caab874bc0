"""NEXMark bids, seeded: a log of one day, as typed Parquet columns and as JSON bytes, made once and kept.

Prices are log-uniform between 100 and 100 million cents and auctions have hot keys, as in NEXMark's own generator; each
bid also has an `event_id` of its own. The same seed and rows give the same bids on every machine.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FILES: Final = 16
EXTRA_LETTERS: Final = (40, 80)
_FIRST_MS: Final = 1_436_918_400_000
_DAY_MS: Final = 86_400_000
_CHANNELS: Final = ("Google", "Facebook", "Baidu", "Apple")
_ALPHABET: Final = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", np.uint8)


@dataclass(frozen=True)
class Bids:
    """A cached data set: folders of typed columns and of JSON, each of `FILES` files (fewer if rows are fewer)."""

    typed: Path
    raw: Path


def prepare(cache: Path, rows: int, seed: int = 14) -> Bids:
    """The bids of a seed, written if they are not there yet; a killed writer leaves nothing that looks finished."""
    folder = cache / f"nexmark-{seed}-{rows}"
    if not folder.is_dir():
        unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
        try:
            _write(unfinished, rows, seed)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return Bids(folder / "typed", folder / "raw")


def _write(folder: Path, rows: int, seed: int) -> None:
    edges = np.linspace(0, rows, min(FILES, rows) + 1).astype(np.int64)
    for kind in ("typed", "raw"):
        (folder / kind).mkdir(parents=True)
    for part, (start, stop) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        table = bids(np.arange(start, stop), rows, np.random.default_rng([seed, part]))
        pq.write_table(table, folder / "typed" / f"part-{part:02}.parquet")
        pq.write_table(pa.table({"value": as_json(table)}), folder / "raw" / f"part-{part:02}.parquet")


def bids(numbers: npt.NDArray[np.int64], total: int, random: np.random.Generator) -> pa.Table:
    """The bids of these numbers, of `total` spread evenly over one day."""
    count = len(numbers)
    hot = random.random(count) < 0.5
    auction = np.where(hot, numbers // 100 * 100, numbers - random.integers(0, 1000, count).clip(max=numbers)) + 1000
    channel = pa.array(_CHANNELS).take(pa.array(random.integers(0, len(_CHANNELS), count)))
    item = pa.array(random.integers(0, 10_000_000, count)).cast(pa.string())
    return pa.table(
        {
            "event_type": pa.array(["bid"]).take(pa.array(np.zeros(count, np.int8))),
            "event_id": pc.binary_join_element_wise("bid", pa.array(numbers).cast(pa.string()), "-"),
            "auction": pa.array(auction),
            "bidder": pa.array(random.integers(1000, 1_001_000, count)),
            "price": pa.array(np.round(10 ** (random.random(count) * 6) * 100).astype(np.int64)),
            "channel": channel,
            "url": pc.binary_join_element_wise("https://www.nexmark.com/", item, "/item.htm?query=1", ""),
            "dateTime": pa.array(_FIRST_MS + numbers * _DAY_MS // total),
            "extra": _letters(count, random),
        }
    )


def _letters(count: int, random: np.random.Generator) -> pa.Array:
    """Words of random small letters, between the bounds of `EXTRA_LETTERS` long."""
    offsets = np.concatenate([[0], np.cumsum(random.integers(*EXTRA_LETTERS, count))]).astype(np.int32)
    letters = _ALPHABET[random.integers(0, len(_ALPHABET), offsets[-1], dtype=np.uint8)]
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(letters))


def as_json(table: pa.Table) -> pa.Array:
    """Each bid as a JSON object (binary). The texts are made of characters that JSON does not escape."""
    pieces: list[Any] = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        text = column.combine_chunks()
        quote = '"' if pa.types.is_string(text.type) else ""
        pieces += [f'{"," if pieces else "{"}"{name}":{quote}', text.cast(pa.string()), quote]
    return pc.binary_join_element_wise(*pieces, "}", "").cast(pa.binary())
