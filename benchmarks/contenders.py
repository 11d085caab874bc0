"""Who takes part, by name; and the process each runs in: `python -m benchmarks.contenders NAME`.

The process says `ready` when it has started up, then obeys one JSON object a line, `{"bids": …, "output": …}`, with the
seconds the run took, until its input ends.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from benchmarks.peers import Run

COLUMN_FORM: Final = {
    "trivium": "benchmarks.ours:column_form",
    "ray data": "benchmarks.peers.ray_data:column_form",
    "two processes": "benchmarks.peers.plain_processes:column_form",
    "polars": "benchmarks.peers.polars_scan:column_form",
}
ROW_FORM: Final = {
    "trivium": "benchmarks.ours:row_form",
    "ray data": "benchmarks.peers.ray_data:row_form",
    "two processes": "benchmarks.peers.plain_processes:row_form",
}
JSON_FORM: Final = {
    "trivium": "benchmarks.ours:json_form",
    "two processes": "benchmarks.peers.plain_processes:json_form",
}
FORMS: Final = {"column": COLUMN_FORM, "row": ROW_FORM, "json": JSON_FORM}


def contender(form: str, name: str) -> AbstractContextManager[Run]:
    """A contender, not yet started."""
    module, _, function = FORMS[form][name].partition(":")
    started: AbstractContextManager[Run] = getattr(importlib.import_module(module), function)()
    return started


def main() -> None:
    """Obey the harness. Libraries write where they like, so answers go to a copy of the standard output."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    form, name = sys.argv[1:]
    with contender(form, name) as run:
        print("ready", file=answers)
        for line in sys.stdin:
            told = json.loads(line)
            start = time.perf_counter()
            run(Path(told["bids"]), Path(told["output"]))
            print(time.perf_counter() - start, file=answers)


if __name__ == "__main__":
    main()
