"""What the purity guard costs: an audit event outside of executor calls, and a batch inside.

python -m benchmarks.guard
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

ROUNDS: Final = 7
EVENTS: Final = 200_000


def main() -> None:
    """Measure in fresh processes, because a hook stays for good."""
    without = [_measured("off") for _ in range(ROUNDS)]
    with_hook = [_measured("warn") for _ in range(ROUNDS)]
    for place, name in enumerate(("audit event outside (ns)", "batch inside (ns)")):
        before, after = (statistics.median(each[place] for each in runs) for runs in (without, with_hook))
        print(f"{name}: {before:.0f} without, {after:.0f} with the guard, difference {after - before:.0f}")


def _measured(purity: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.guard", purity]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    event, batch = done.stdout.split()
    return float(event), float(batch)


def _child(purity: str) -> None:
    from trivium.engine.guard import guard_of  # noqa: PLC0415 - only a child needs the engine

    guard = guard_of("the executor of nothing", "warn" if purity == "warn" else "off")

    def event() -> None:
        sys.audit("benchmark.nothing")

    def batch() -> None:
        with guard:
            pass

    print(_nanoseconds(event), _nanoseconds(batch))


def _nanoseconds(call: Callable[[], None]) -> float:
    start = time.perf_counter_ns()
    for _ in range(EVENTS):
        call()
    return (time.perf_counter_ns() - start) / EVENTS


if __name__ == "__main__":
    _child(sys.argv[1]) if len(sys.argv) > 1 else main()
