"""`./dev bench shared_facts`: a big lookup over a Parquet file, opened by many processes of a node and asked for keys.

The first process reads the file and builds the table, the others map it. `own memory` is what opening adds to a process
beside the pages that all share. DuckDB joins the same keys with the same rows, which it has in memory.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from trivium.config.model.file_lookups import ParquetLookupSettings
from trivium.connectors.parquet.lookup import ParquetLookup
from trivium.contract.lookup import LookupRequest
from trivium.contract.rows import Row
from trivium.core.clock import Deadline, SystemClock
from trivium.types.rows import row_fields

ASKED: Final = (1, 2_000, 100_000)


class Fact(Row):
    """A fact about a user."""

    group: str


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--processes", type=int, default=16)
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TMPDIR"] = tempfile.tempdir = scratch
        file = Path(scratch, "facts.parquet")
        codes = np.arange(options.rows) * 7919 % 100_000_007
        pq.write_table(pa.table({"code": _keys(codes), "group": _keys(codes % 1000)}), file)
        began = time.perf_counter()
        lookup = opened(file)
        console.print(f"{options.rows:,} rows: opened first in {time.perf_counter() - began:.2f} s")
        deadline = Deadline.after(SystemClock(), 60.0)
        for count in ASKED:
            known = np.random.default_rng(0).choice(codes, min(count, len(codes)), replace=False)
            keys = _keys(np.where(np.arange(len(known)) % 10 == 9, -1 - known, known))
            best = _best(partial(lookup.fetch, keys, deadline))
            console.print(f"{len(keys):>9,} keys in {best:8.2f} ms; DuckDB's join {_joined(file, keys):8.1f} ms")
        others = _others(file, options.processes - 1)
        size = lookup.load()[1].rows.nbytes
        console.print(
            f"{options.processes} processes: one table of {size / 2**20:.0f} MB of rows; own memory of the others "
            f"{sum(grown for grown, _ in others) / 2**20:.1f} MB together, opened in "
            f"{max(seconds for _, seconds in others):.2f} s at most"
        )
        lookup.close()


def opened(file: Path) -> ParquetLookup:
    """Return the lookup, open."""
    settings = ParquetLookupSettings(type="parquet", path=str(file), key="code")
    lookup = ParquetLookup(
        settings, LookupRequest(name="facts", fields=row_fields(Fact), key_type=pa.string(), clock=SystemClock())
    )
    lookup.load()
    return lookup


def _keys(numbers: Any) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def _best(call: Callable[[], object]) -> float:
    """Return the milliseconds of the fastest of five calls."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        call()
        found.append(1e3 * (time.perf_counter() - began))
    return min(found)


def _joined(file: Path, keys: pa.Array) -> float:
    with duckdb.connect() as database:
        database.execute(f"create table facts as from '{file}'")
        database.register("asked", pa.table({"code": keys}))
        query = "select asked.code, facts.group from asked left join facts using (code)"
        return _best(lambda: database.execute(query).to_arrow_table())


def _others(file: Path, count: int) -> list[tuple[int, float]]:
    """Return what opening adds to the memory of each of so many processes, all open at once, and its seconds."""
    context = mp.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    processes = [context.Process(target=_open_and_wait, args=(file, theirs)) for _, theirs in pipes]
    for process in processes:
        process.start()
    found = [ours.recv() for ours, _ in pipes]
    for (ours, _), process in zip(pipes, processes, strict=True):
        ours.send("end")
        process.join()
    return found


def _open_and_wait(file: Path, pipe: Connection) -> None:
    before, began = _own_bytes(), time.perf_counter()
    lookup = opened(file)
    pipe.send((_own_bytes() - before, time.perf_counter() - began))
    pipe.recv()
    lookup.close()


def _own_bytes() -> int:
    rolled = Path("/proc/self/smaps_rollup").read_text()
    return next(int(line.split()[1]) << 10 for line in rolled.splitlines() if line.startswith("Anonymous:"))


if __name__ == "__main__":
    main()
