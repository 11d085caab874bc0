"""That two outputs hold the same rows, in whatever order and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
from deltalake import DeltaTable

_COLUMNS: Final = (
    "event_id, epoch_us(event_time), auction::bigint, bidder::bigint, price::double, bid_time_type, extra, "
    "c_counts::bigint"
)


class OutputsDiffer(Exception):
    """Contenders wrote different rows, so their figures cannot be compared."""


@dataclass(frozen=True)
class Fingerprint:
    """The number of rows and the sum of their hashes: equal multisets of rows have equal fingerprints."""

    rows: int
    hash: int


def fingerprint(output: Path) -> Fingerprint:
    """The fingerprint of a folder of Parquet files, or of a Delta table's current version."""
    files = _files(output)
    rows, total = duckdb.execute(f"select count(*), sum(hash({_COLUMNS})) from read_parquet(?)", [files]).fetchall()[0]
    return Fingerprint(rows, int(total or 0))


def check_equal(found: Mapping[str, Fingerprint]) -> Fingerprint:
    """The one fingerprint all contenders share.

    Raises:
        OutputsDiffer: naming each contender with its rows and hash.
    """
    (first, *others) = found.values()
    if any(other != first for other in others):
        listed = ", ".join(f"{name}: {each.rows:,} rows, hash {each.hash:x}" for name, each in found.items())
        raise OutputsDiffer(f"expected one output, got {listed}; no figure counts until they agree")
    return first


def _files(output: Path) -> list[str]:
    if (output / "_delta_log").is_dir():
        return DeltaTable(str(output)).file_uris()
    return [str(path) for path in sorted(output.glob("**/*.parquet"))]
