"""A process that opens a lookup over a file of shelves, says what that took, and answers keys of its standard input.

Run as `python -m tests.support.facts_process FILE`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.support.shelf_lookup import halls, opened

ROOT = Path(__file__).parents[2]


class FactsProcess:
    """A process as its test drives it; `grown` are the bytes of memory of its own that opening took."""

    def __init__(self, file: Path, temporary: Path, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.facts_process", str(file)],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temporary), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def opened(self) -> dict[str, int]:
        """Wait until the lookup is open: `grown` and `built` of it."""
        return self._read()  # type: ignore[no-any-return]

    def halls(self, *keys: str) -> list[str | None]:
        """Ask it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(keys) + "\n")
        self.process.stdin.flush()
        return self._read()  # type: ignore[no-any-return]

    def end(self) -> None:
        """Let it end by itself."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(60) == 0

    def _read(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


def _own_bytes() -> int:
    rolled = Path("/proc/self/smaps_rollup").read_text()
    return next(int(line.split()[1]) << 10 for line in rolled.splitlines() if line.startswith("Anonymous:"))


def _say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Open, report, answer until the input ends."""
    file = Path(sys.argv[1])
    halls(opened(Path(sys.argv[1]).with_name("small.parquet")), ["A"])
    before = _own_bytes()
    lookup = opened(file)
    read = pa.default_memory_pool().bytes_allocated() > 1 << 22
    _say({"grown": _own_bytes() - before, "private": read})
    for line in sys.stdin:
        _say(halls(lookup, json.loads(line)))


if __name__ == "__main__":
    main()
